/**
 * What is said without a script: the verdict of both nodes on the first page, `/status.txt`, `/status.json`. The sentence is
 * in the page that the server sends, so it is there before any script has run, and in browsers that run none.
 */
import { SIDES, type Side } from './ask.ts';
import type { News } from './poll.ts';
import { html } from './replies.ts';
import type { Session } from './sessions.ts';

export type BothNews = { readonly [side in Side]: News };
/** As the command line prints it; undefined: this is no status. */
export type StatusText = (document: object) => string | undefined;

type Said = { readonly level: string; readonly text: string; readonly who: string };

/** `template` has `<!-- verdict -->` where it belongs. */
export function firstPage(template: string, news: BothNews, session: Session): string {
  const lines = SIDES.map((side) => {
    const { level, text, who } = saidBy(side, news[side]);
    return (
      `<p class="verdict" data-side="${side}" data-level="${html(level)}">` +
      `<strong>${html(level.toUpperCase())}</strong> <span>${html(who)}: ${html(text)}</span></p>`
    );
  });
  const at = new Date(news.local.wallMs).toISOString();
  const plain =
    `<noscript><p>As of <time datetime="${at}">${at}</time>. This page shows more with scripts; without, ` +
    '<a href="/status.txt">status.txt</a> does. ' +
    '<form method="post" action="/logout">' +
    `<input type="hidden" name="csrf" value="${html(session.csrf)}">` +
    `<button type="submit">Log out ${html(session.user)}</button></form></noscript>`;
  const verdict = `<div id="verdict" role="status">${lines.join('\n')}</div>\n${plain}`;
  return template.replace(/<!-- verdict\b[^>]*-->/, () => verdict);
}

/** `template` has `<!-- message -->` where it belongs. */
export function loginPage(template: string, message: string | undefined): string {
  const text = message === undefined ? '' : `<p role="alert">${html(message)}</p>`;
  return template.replace(/<!-- message\b[^>]*-->/, () => text);
}

export function statusPage(news: BothNews, textOf: StatusText): string {
  return SIDES.map((side) => {
    const answer = news[side];
    const document = documentOf(answer);
    const head = `${side === 'local' ? 'THIS DIRECTOR' : 'THE PARTNER'}  ${new Date(answer.wallMs).toISOString()}`;
    const text = document === undefined ? undefined : textOf(document);
    const { level, text: sentence } = saidBy(side, answer);
    return `${head}\n\n${text ?? `${level.toUpperCase()}  ${sentence}`}\n`;
  }).join('\n\n');
}

export function statusJson(news: BothNews): object {
  const entries = SIDES.map((side) => {
    const answer = news[side];
    const at = new Date(answer.wallMs).toISOString();
    const document = documentOf(answer);
    const silent = saidBy(side, answer).text;
    return [side, document === undefined ? { at, silent } : { at, status: document }];
  });
  return { v: 1, ...Object.fromEntries(entries) };
}

function documentOf(answer: News): object | undefined {
  if (!answer.ok || answer.value.code !== 200) return undefined;
  try {
    const value: unknown = JSON.parse(answer.value.body.toString());
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What is not heard is unknown. */
function saidBy(side: Side, answer: News): Said {
  const who = side === 'local' ? 'this director' : 'the partner';
  if (!answer.ok) return { level: 'unknown', text: answer.error.text, who };
  const fields = new Map(Object.entries(documentOf(answer) ?? {}));
  const verdict = new Map(Object.entries(Object(fields.get('verdict'))));
  const [level, text] = [verdict.get('level'), verdict.get('text')];
  if (typeof level !== 'string' || typeof text !== 'string') {
    return { level: 'unknown', text: 'It gives no status yet.', who };
  }
  const node = fields.get('node');
  return { level, text, who: typeof node === 'string' ? `${who} (${node})` : who };
}
