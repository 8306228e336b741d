/** The rounds of `~SEQ` and `~LST`: a line of keepalived.conf that is meant several times. */

/** One time that a line is taken: names and what they stand for meanwhile. */
export type Round = { readonly names: readonly string[]; readonly values: readonly string[] };

const MAX_ROUNDS = 100_000;

/** What stands in the brackets of `~SEQ(NAME, from, step, to)`, of which `from` and `step` may be missing. */
export function sequenceOf(text: string, isHexadecimal: boolean): readonly Round[] | undefined {
  const [name = '', ...words] = text.split(',').map((word) => word.trim());
  const numbers = words.map(numberOf);
  const [one, two, three] = numbers;
  const isName = /^[A-Za-z_]\w*$/.test(name);
  if (!isName || one === undefined || numbers.length > 3 || numbers.includes(undefined)) {
    return undefined;
  }
  const end = three ?? two ?? one;
  const start = two === undefined ? (end < 0 ? -1 : 1) : one;
  const step = three === undefined ? (start <= end ? 1 : -1) : (two ?? 0);
  const count = step === 0 ? 0 : Math.floor((end - start) / step) + 1;
  if (count < 1 || count > MAX_ROUNDS || (isHexadecimal && Math.min(start, end) < 0)) {
    return undefined;
  }
  return Array.from({ length: count }, (_, index) => {
    const number = start + index * step;
    return { names: [name], values: [number.toString(isHexadecimal ? 16 : 10)] };
  });
}

/** Decimal, hexadecimal with 0x, octal with 0. */
function numberOf(text: string): number | undefined {
  const [, sign, digits = ''] = /^(-?)(0x[0-9a-f]{1,8}|\d{1,10})$/i.exec(text) ?? [];
  const base = /^0[0-7]+$/.test(digits) ? 8 : 10;
  const value = /^0x/i.test(digits) ? Number(digits) : Number.parseInt(digits, base);
  return Number.isNaN(value) ? undefined : sign === '-' ? -value : value;
}

/** What stands in the brackets of `~LST(...)`. The first item names what the others give; several at a time stand in braces. */
export function listOf(text: string): readonly Round[] | undefined {
  const items = Array.from(text.matchAll(/\{([^{}]*)\}|[^,{}]+/g), ([whole, inBraces]) =>
    (inBraces ?? whole).split(',').map((word) => word.trim()),
  ).filter((words) => words.join('') !== '');
  const [names, ...rounds] = items;
  const areNames = names?.every((name) => /^[A-Za-z_]\w*$/.test(name)) ?? false;
  return names === undefined || !areNames || rounds.length === 0
    ? undefined
    : rounds.map((values) => ({ names, values }));
}
