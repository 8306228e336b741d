/** The connection that keeps the page true: the console's stream (../stream.ts says its events) into the signals of live.ts. */
import type { EventDocument, ServiceRow, ServicesDocument, StatusDocument } from './documents.ts';
import {
  addHappening,
  changeServices,
  forgetPartner,
  isAlive,
  setServices,
  setStatus,
  whyNotHere,
} from './live.ts';
import { ask, SIDES, type Side } from './net.ts';

type Told<T> = T & { readonly side: Side; readonly at: number };

/** What had happened before the page was opened, of both nodes. */
export async function readPast(): Promise<void> {
  const answers = await Promise.all(
    SIDES.map((side) =>
      ask<{ events: readonly EventDocument[] }>('/v1/events/recent?limit=50', { side }),
    ),
  );
  for (const answer of answers) {
    for (const event of answer.ok ? answer.value.events : []) addHappening(event);
  }
}

export function followStream(): void {
  const source = new EventSource('/api/stream');
  const on = <T>(name: string, take: (told: Told<T>) => void): void => {
    source.addEventListener(name, (event) => {
      const told: Told<T> = JSON.parse(event.data);
      take(told);
    });
  };
  on<{ document: StatusDocument }>('status', ({ side, document, at }) => {
    setStatus(side, document, at);
  });
  on<{ document: ServicesDocument }>('services', ({ side, document }) => {
    setServices(side, document);
  });
  on<{ services: readonly ServiceRow[]; rest: Omit<ServicesDocument, 'services'> }>(
    'rows',
    ({ side, services, rest }) => {
      changeServices(side, services, rest);
    },
  );
  on<{ text: string; topic: string }>('silent', ({ side, text, topic }) => {
    if (!topic.startsWith('status')) return;
    if (side === 'local') whyNotHere.value = text;
    else {
      forgetPartner(text);
    }
  });
  on<{ topic: string; code: number }>('refused', ({ side, topic, code }) => {
    if (side === 'partner' && topic.startsWith('status')) {
      forgetPartner(`The partner's director refuses to say (${code}).`);
    }
  });
  on<{ record: EventDocument }>('happened', ({ record }) => addHappening(record));
  on<{ from?: string }>('gap', ({ side }) => {
    const text = `events of the ${side === 'local' ? 'local' : "partner's"} director are missing here`;
    addHappening({ at: new Date().toISOString(), kind: 'gap', text });
  });
  on<{ local: number | null }>('beat', ({ local }) => isAlive(local));
}
