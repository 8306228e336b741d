/** What is wrong with how the servers of one service are checked: contradictions, and directives without an effect. */
import { compileEre } from '../base/index.ts';
import type { CheckKind } from '../model/index.ts';
import type { GlobalDraft, VirtualDraft } from './directives.ts';
import { type ProblemList, placeOf } from './problem.ts';

/** Which kinds of check heed a directive. */
const HEEDED_BY: ReadonlyMap<string, readonly CheckKind[]> = new Map([
  ['send', ['nanny', 'tcp', 'udp']],
  ['expect', ['nanny', 'tcp', 'udp', 'program']],
  ['use_regex', ['nanny', 'tcp', 'udp']],
  ['send_program', ['nanny', 'program']],
  ['http_method', ['http', 'https']],
  ['http_path', ['http', 'https']],
  ['http_host', ['http', 'https']],
  ['http_status', ['http', 'https']],
  ['http_body', ['http', 'https']],
  ['tls_name', ['https', 'tls']],
  ['tls_verify', ['https', 'tls']],
  ['tls_min_days', ['https', 'tls']],
  ['dns_name', ['dns']],
  ['dns_type', ['dns']],
  ['smtp_helo', ['smtp']],
]);

export function checkProcedure(draft: VirtualDraft, problems: ProblemList): void {
  const kind = draft.check?.kind ?? 'nanny';
  // A kind that could not be read has been told; what goes with it is not known then.
  const isKnown = draft.check?.kind !== undefined || !draft.places.has('check');
  for (const [key, kinds] of HEEDED_BY) {
    if (!isKnown || !draft.places.has(key) || kinds.includes(kind)) continue;
    const what = kind === 'nanny' ? 'without `check`' : `with \`check = ${kind}\``;
    problems.warning('unused-directive', placeOf(draft, key), `\`${key}\` has no effect ${what}`);
  }
  if (kind === 'program' && draft.sendProgram === undefined) {
    const message = '`check = program` has no `send_program` to run';
    problems.error('missing-directive', placeOf(draft, 'check'), message);
  }
  if (draft.check?.httpMethod === 'HEAD' && draft.check.httpBody !== undefined) {
    const message = '`http_body` cannot be found: the answer to HEAD has no body';
    problems.error('bad-check', placeOf(draft, 'http_body'), message);
  }
  checkExpectation(draft, problems);
}

/** A server can be asked for the VIP only where packets reach it as the client wrote them, and TCP answers a SYN. */
export function checkVipCheck(
  draft: VirtualDraft,
  { network = 'nat' }: GlobalDraft,
  problems: ProblemList,
): void {
  if (draft.check?.isVipChecked !== true || draft.kind !== 'virtual') return;
  const refuse = (why: string) =>
    problems.error('bad-check', placeOf(draft, 'check_vip'), `\`check_vip\` ${why}`);
  if (network !== 'direct') {
    refuse(
      `needs \`network = direct\`: with ${network} a server never sees the VIP on its network`,
    );
  } else if ((draft.protocol ?? 'tcp') !== 'tcp') {
    refuse('sends a SYN, which only `protocol = tcp` answers');
  } else if (draft.port === 0) {
    refuse('needs the port of the service, and `port = 0` is every port');
  }
}

/** 0.8.6 logs it and counts the servers as down; so they are here, and it is told before. */
function checkExpectation(draft: VirtualDraft, problems: ProblemList): void {
  const isPattern = draft.usesRegex === true && draft.sendProgram === undefined;
  if (!isPattern || draft.expect === undefined || draft.expect === '*') return;
  const compiled = compileEre(draft.expect);
  if (compiled.ok) return;
  problems.warning(
    'bad-check',
    placeOf(draft, 'expect'),
    `\`expect\` is no regular expression, so the servers stay down: ${compiled.error}`,
  );
}
