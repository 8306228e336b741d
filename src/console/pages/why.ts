/**
 * "Why not?": the questions of somebody who was woken, each with its answer and the next thing to look at.
 *
 *   Why does the backup not take over?   Why does the router not believe it?   Why is web/r2 not up?
 *
 * Nothing is judged here: the facts are the directors' own reasons, and what a reason means is said by docs/reasons.md
 * (reasons.ts) and nowhere else. Pure.
 */
import type { Reasons, ReasonWords } from '../reasons.ts';
import type { ServerRow, ServiceRow, ServicesDocument, StatusDocument } from './documents.ts';
import {
  isHealthyStandby,
  named,
  otherNode,
  otherThan,
  ownerOf,
  type Pair,
  type Tone,
} from './monitor.ts';
import { serverState } from './service-rows.ts';
import { ageText, lengthText } from './words.ts';

export type Answer = {
  readonly question: string;
  /** Tells whether the answer is trouble, too. */
  readonly tone: Tone;
  readonly answer: string;
  /** The next thing to do. */
  readonly next?: string;
  /** The word of docs/reasons.md, as logs and events have it. */
  readonly reason?: string;
};

/** Trouble first. */
export function whyOfPair(pair: Pair, reasons: Reasons): readonly Answer[] {
  const owner = ownerOf(pair);
  const statuses = [pair.here, ...(pair.there === undefined ? [] : [pair.there])];
  const answers = [
    ...statuses.flatMap((status) => refusal(status, reasons)),
    ...(owner === undefined
      ? ownerless(pair, reasons)
      : [successor(pair, owner, reasons), ...belief(owner, reasons)]),
    ...unasked(pair),
  ];
  return worstFirst(answers);
}

export function worstFirst(answers: readonly Answer[]): readonly Answer[] {
  return answers.toSorted((a, b) => weightOf(a.tone) - weightOf(b.tone));
}

export function isTrouble({ tone }: Answer): boolean {
  return tone === 'bad' || tone === 'warn';
}

function weightOf(tone: Tone): number {
  return ['bad', 'warn', 'dim', 'info', 'good'].indexOf(tone);
}

function refusal({ node, refusal: text }: StatusDocument, { role }: Reasons): readonly Answer[] {
  if (text === undefined) return [];
  const question = `Why does ${node} not hold the VIPs?`;
  return [{ question, tone: 'bad', ...explained('kernel-refused', role, sentence(text)) }];
}

/** Of whoever does not own: could it, and what keeps it from it? */
function successor(pair: Pair, owner: StatusDocument, reasons: Reasons): Answer {
  const { partner } = owner;
  const other = otherNode(owner);
  const question = `Why does ${other} not take over?`;
  if (partner.state === 'none') {
    const next = 'set backup_active = 1 and the address of a second director in lvs.cf';
    return { question, tone: 'info', answer: 'No partner is configured.', next };
  }
  if (isHealthyStandby(pair, owner)) {
    const answer = `Nothing keeps it from it. It waits, since ${owner.node} is heard and serves.`;
    const next = `“Take over” on the card of ${other} moves the VIPs there`;
    return { question, tone: 'good', answer, next };
  }
  if (partner.state !== 'heard') return silence(pair, owner, reasons);
  const status = otherThan(pair, owner);
  if (status?.role === 'active') {
    const answer = 'It says that it has: both are active.';
    return { question, tone: 'bad', ...explained('partner-silent', reasons.told, answer) };
  }
  const said = owner.pair?.partner.isEligible === false ? owner.pair.partner.reason : undefined;
  return { question, tone: 'warn', ...explained(said ?? status?.reason ?? '', reasons.role) };
}

/** Of a node that the other one does not hear. */
function silence(pair: Pair, observer: StatusDocument, { role }: Reasons): Answer {
  const other = otherNode(observer);
  const { paths } = observer.partner;
  const ages = paths.flatMap(({ heardMsAgo }) => heardMsAgo ?? []);
  const since =
    ages.length === 0 ? 'has never been heard' : `is silent for ${ageText(Math.min(...ages))}`;
  const question = `Why does ${other} not take over?`;
  const answersAll = pair.here.node === other ? pair.here : pair.there;
  if (paths.some(({ link }) => link === 'down')) {
    const answer = `${observer.node} has no link on a heartbeat path, so nobody knows whether ${other} could.`;
    return { question, tone: 'bad', ...explained('link-failure', role, answer) };
  }
  if (answersAll !== undefined) {
    const answer = `It ${since}, and yet its director answers: heartbeats get lost on the way.`;
    const next = 'look at the heartbeat port between the two: firewalls, switches, keys';
    return { question, tone: 'bad', answer, next, reason: 'partner-silent' };
  }
  const answer = `It ${since}: nobody knows whether it could.`;
  return { question, tone: 'bad', ...explained('partner-silent', role, answer) };
}

/** Nobody is known to own: each node for itself. */
function ownerless(pair: Pair, reasons: Reasons): readonly Answer[] {
  const { here, there } = pair;
  const { partner } = here;
  const answers = [here, ...(there === undefined ? [] : [there])].map((status): Answer => {
    const { node, role, reason, timers } = status;
    const question = `Why does ${node} not take over?`;
    if (role === 'fault')
      return { question, tone: 'bad', ...explained(reason, reasons.role), reason };
    if (role === 'claim') {
      return { question, tone: 'warn', answer: 'It is about to.', reason };
    }
    const next = `it takes over by itself when it has heard nobody for ${lengthText(timers.deadtimeMs)}`;
    return { question, tone: 'warn', answer: named(status), next, reason };
  });
  // By its heartbeats the partner serves, though its director cannot be asked.
  const isServed = there === undefined && partner.state === 'heard' && partner.said === 'running';
  if (isServed) return [];
  const isSilent = there === undefined && partner.state !== 'heard' && partner.state !== 'none';
  return isSilent ? [...answers, silence(pair, here, reasons)] : answers;
}

/** Of the VIPs whose owner is not proved to be believed. */
function belief(owner: StatusDocument, { told }: Reasons): readonly Answer[] {
  const { node, vips, pair } = owner;
  const question = `Why does the router not believe ${node}?`;
  const by = Map.groupBy(vips, (vip) => vip.belief?.owner ?? 'nothing');
  const names = (word: Parameters<typeof by.get>[0]): string => listed(by.get(word) ?? []);
  const answers: Answer[] = [];
  for (const word of ['stranger', 'partner'] as const) {
    if (!by.has(word)) continue;
    const who = word === 'partner' ? 'The other node' : 'A stranger';
    const answer = `${who} claims ${names(word)}.`;
    answers.push({ question, tone: 'bad', ...explained('foreign-claim', told, answer) });
  }
  if (by.has('unknown')) {
    const answer = `No witness has answered for ${names('unknown')}.`;
    answers.push({ question, tone: 'warn', ...explained('unbelieved', told, answer) });
  }
  if (by.has('nothing')) {
    const isAsked = pair?.witness.isAsked === true;
    const answer = isAsked
      ? `The answers for ${names('nothing')} are still waited for.`
      : 'Nobody is asked, so nobody knows.';
    const next = isAsked ? undefined : 'verify = gateway, or verify_hosts, in lvs.cf';
    answers.push({ question, tone: 'info', answer, ...(next !== undefined && { next }) });
  }
  return answers;
}

const SHOWN_VIPS = 3;

function listed(vips: StatusDocument['vips']): string {
  const names = vips.slice(0, SHOWN_VIPS).map(({ address }) => address);
  const more = vips.length - names.length;
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function unasked({ here, there, why }: Pair): readonly Answer[] {
  if (there !== undefined || why === undefined || here.partner.state === 'none') return [];
  const other = otherNode(here);
  const question = `Why is nothing told by ${other} itself?`;
  return [{ question, tone: 'warn', answer: why, next: `run piranha status on ${other}` }];
}

/** Of one real server, well or not. `seenBy`: whose checks; of both nodes when two are asked. */
export function whyOfServer(service: ServiceRow, server: ServerRow, { server: words }: Reasons) {
  const { reason, detail, override, state } = server;
  const { tone } = serverState(server);
  const isUp = state === 'active';
  const question = `Why is ${service.name}/${server.name} ${isUp ? 'up' : 'not up'}?`;
  const told = explained(reason, words);
  const ends =
    override === undefined
      ? []
      : [
          override.leftMs === undefined
            ? 'Until it is lifted.'
            : `For ${ageText(override.leftMs)}.`,
        ];
  const quoted = detail === undefined ? [] : [`The last check said: “${detail}”.`];
  return { question, tone, ...told, answer: [told.answer, ...quoted, ...ends].join(' ') };
}

/** What the pages know when the director of this machine tells nothing. */
export function whyOfSilence(why: string, other: string): Answer {
  return {
    question: 'Why is nothing known now?',
    tone: 'bad',
    answer: why,
    next: `run piranha status here; open the console of ${other}, which sees both nodes from there`,
  };
}

/** The services that are not in the kernel and the servers that are not up, as many as `limit`, and how many more. */
export function whyOfServices(
  { services, dataPlane }: ServicesDocument,
  reasons: Reasons,
  limit: number,
): { readonly answers: readonly Answer[]; readonly more: number } {
  const answers: Answer[] = [];
  let count = 0;
  const add = (make: () => Answer): void => {
    if (count++ < limit) answers.push(make());
  };
  for (const service of services) {
    if (!service.stands) add(() => notStanding(service, dataPlane.kind));
    for (const server of service.servers) {
      if (server.state !== 'active') add(() => whyOfServer(service, server, reasons));
    }
  }
  return { answers, more: count - answers.length };
}

function notStanding({ name }: ServiceRow, plane: string): Answer {
  return {
    question: `Why is ${name} not in the kernel?`,
    tone: 'bad',
    answer: `The data plane (${plane}) does not hold it.`,
    next: 'the log names the line of lvs.cf that was refused; “piranha reload” tries again',
  };
}

/** The document's sentence after ours, and what it says to look at. */
function explained(
  reason: string,
  among: Readonly<Record<string, ReasonWords>>,
  first?: string,
): Omit<Answer, 'question' | 'tone'> {
  const { what = '', look } = among[reason] ?? {};
  const answer = [first, what].filter(Boolean).join(' ');
  return {
    answer: answer === '' ? 'It does not say.' : answer,
    ...(look !== undefined && { next: look }),
    ...(reason !== '' && { reason }),
  };
}

function sentence(text: string): string {
  const upper = text.slice(0, 1).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}
