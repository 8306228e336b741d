/**
 * The table of docs/metrics.md, made from the definitions. Run as a program it puts the table in its place in the page:
 * `node src/api/metrics-page.ts`; the test of the metrics holds the page to it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS } from './metrics.ts';

const PAGE = join(import.meta.dirname, '../../docs/metrics.md');
const PLACE = /(?<=<!-- table -->\n)[\s\S]*?(?=<!-- end of table -->)/;

export function metricsTable(): string {
  const rows = METRICS.map(({ name, type, labels, help }) => {
    const words = labels.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${words} | ${help} |`;
  });
  return ['| Name | Type | Labels | What it tells |', '|---|---|---|---|', ...rows].join('\n');
}

if (import.meta.main) {
  writeFileSync(
    PAGE,
    readFileSync(PAGE, 'utf8').replace(PLACE, () => metricsTable()),
  );
}
