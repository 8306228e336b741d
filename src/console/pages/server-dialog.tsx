/**
 * One real server: why it is up or not, by each node's own checks, and an operator's word about it: drain it, weigh it, take
 * it out, hold it in; on either node or on both, for a time, so that nobody forgets it.
 */
import { computed, signal, useSignal } from '@preact/signals';
import type { CheckRun, ServerRow, ServiceRow } from './documents.ts';
import { isStale, mayOperate, nodeOf, services, servicesThere, whyNotThere } from './live.ts';
import { ask, SIDES, type Side } from './net.ts';
import { Dialog, say } from './parts.tsx';
import { runText } from './service-rows.ts';
import { whyOfServer } from './why.ts';
import { AnswerView, reasons } from './why-view.tsx';

const KINDS = {
  drain: 'Drain: no new connections, the others finish',
  weight: 'Another weight than lvs.cf has',
  disable: 'Take it out of the table at once',
  'force-up': 'Hold it in service, whatever its checks say',
} as const;
type Kind = keyof typeof KINDS;

const minute = 60_000;
const TIMES = [
  [10 * minute, '10 minutes'],
  [30 * minute, '30 minutes'],
  [120 * minute, '2 hours'],
  [24 * 60 * minute, 'a day'],
  [0, 'until it is lifted'],
] as const;

type Place = Side | 'both';
type Seen = { readonly side: Side; readonly service: ServiceRow; readonly server: ServerRow };

/** Key of the service and place of the server: what both nodes have in common. */
type Asked = { readonly key: string; readonly server: string };

/** Which server is asked about; the dialog stands outside of the row, which may scroll away. */
const askedAbout = signal<Asked | undefined>(undefined);

export function askAbout({ key }: ServiceRow, { name }: ServerRow): void {
  askedAbout.value = { key, server: name };
}

/** As each node has it that can be asked. */
const seen = computed<readonly Seen[]>(() => {
  const asked = askedAbout.value;
  if (asked === undefined) return [];
  return SIDES.flatMap((side) => {
    const document = side === 'local' ? services.value : servicesThere.value;
    const service = document?.services.find(({ key }) => key === asked.key);
    const server = service?.servers.find(({ name }) => name === asked.server);
    return service === undefined || server === undefined ? [] : [{ side, service, server }];
  });
});

export function ServerDialog() {
  const [first] = seen.value;
  if (first === undefined) return null;
  const [service, server] = [first.service.name, first.server.name];
  const target = `${service}/${server}`;
  const close = (): void => {
    askedAbout.value = undefined;
  };
  return (
    <Dialog title={target} onClose={close}>
      {seen.value.map((it) => (
        <section key={it.side} aria-label={`by ${nodeOf(it.side)}`}>
          <h3>By the checks of {nodeOf(it.side)}</h3>
          <dl class="why">
            <AnswerView answer={whyOfServer(it.service, it.server, reasons)} />
          </dl>
        </section>
      ))}
      {mayOperate() && (
        <Word target={target} onDone={close} onTest={() => void testNow(service, server)} />
      )}
    </Dialog>
  );
}

function Word(props: { target: string; onDone: () => void; onTest: () => void }) {
  const { target, onDone, onTest } = props;
  const kind = useSignal<Kind>('drain');
  const weight = useSignal(String(seen.value[0]?.server.configuredWeight ?? 1));
  const forMs = useSignal<number>(30 * minute);
  const places = placesOf(seen.value);
  const place = useSignal<Place | undefined>(undefined);
  const chosen = place.value ?? places[0] ?? 'local';
  const held = seen.value.filter(({ server }) => server.override !== undefined);
  const give = (): void => {
    const word = {
      kind: kind.value,
      // What is no number is refused by the director, in its sentence.
      ...(kind.value === 'weight' && {
        weight: /^\d+$/.test(weight.value) ? Number(weight.value) : weight.value,
      }),
      ...(forMs.value > 0 && { forMs: forMs.value }),
    };
    void tell(target, word, sidesOf(chosen));
    onDone();
  };
  const lift = (): void => {
    void tell(
      target,
      { kind: 'lift' },
      held.map(({ side }) => side),
    );
    onDone();
  };
  return (
    <>
      <fieldset class="choices">
        <legend>What is to happen</legend>
        {Object.entries(KINDS).map(([word, about]) => (
          <label key={word}>
            <input
              type="radio"
              name="kind"
              checked={kind.value === word}
              onChange={() => {
                kind.value = kindOf(word);
              }}
            />
            {about}
          </label>
        ))}
      </fieldset>
      <p class="actions">
        {kind.value === 'weight' && (
          <label>
            weight{' '}
            <input
              type="text"
              inputMode="numeric"
              size={5}
              value={weight.value}
              onInput={(event) => {
                weight.value = event.currentTarget.value;
              }}
            />
          </label>
        )}
        <label>
          for{' '}
          <select
            value={forMs.value}
            onChange={(event) => {
              forMs.value = Number(event.currentTarget.value);
            }}
          >
            {TIMES.map(([ms, words]) => (
              <option key={ms} value={ms}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <label>
          on{' '}
          <select
            value={chosen}
            onChange={(event) => {
              place.value = places.find((it) => it === event.currentTarget.value);
            }}
          >
            {places.map((it) => (
              <option key={it} value={it}>
                {placeText(it)}
              </option>
            ))}
          </select>
        </label>
        <button type="button" class="main" disabled={isStale.value} onClick={give}>
          Do it
        </button>
      </p>
      {whyNotThere.value !== undefined && (
        <p class="dim">
          Only on {nodeOf('local')} from here. {whyNotThere.value}
        </p>
      )}
      <p class="actions">
        {held.length > 0 && (
          <button type="button" onClick={lift}>
            Lift what was said on {placeText(held.length > 1 ? 'both' : (held[0]?.side ?? 'local'))}
          </button>
        )}
        <button type="button" onClick={onTest}>
          Test its check now
        </button>
      </p>
    </>
  );
}

/** Both first: a server that is drained on one node only comes back with the next takeover. */
function placesOf(rows: readonly Seen[]): readonly Place[] {
  const sides = rows.map(({ side }) => side);
  return sides.length > 1 ? ['both', ...sides] : sides;
}

function sidesOf(place: Place): readonly Side[] {
  return place === 'both' ? SIDES : [place];
}

function placeText(place: Place): string {
  return place === 'both' ? 'both nodes' : nodeOf(place);
}

/** Each node for itself, and what each answered: half a success is told as half. */
async function tell(
  target: string,
  word: {
    readonly kind: Kind | 'lift';
    readonly weight?: number | string;
    readonly forMs?: number;
  },
  sides: readonly Side[],
): Promise<void> {
  const body = { target, ...word };
  const answers = await Promise.all(
    sides.map(async (side) => ({ side, answer: await ask('/v1/servers', { body, side }) })),
  );
  const done = answers.flatMap(({ side, answer }) => (answer.ok ? [nodeOf(side)] : []));
  const refused = answers.flatMap(({ side, answer }) =>
    answer.ok ? [] : [`${nodeOf(side)} refused: ${answer.error.title}`],
  );
  const what = word.kind === 'lift' ? 'lifted' : word.kind;
  const said = done.length === 0 ? [] : [`${what} on ${done.join(' and ')}`];
  say(refused.length === 0 ? 'good' : 'bad', `${target}: ${[...said, ...refused].join('; ')}.`);
}

/** One probe by the director of this machine, as its running file says. */
async function testNow(service: string, server: string): Promise<void> {
  const answer = await ask<CheckRun>('/v1/checks/run', { body: { service, server } });
  if (!answer.ok) say('bad', answer.error.title);
  else say(...runText(`${service}/${server}`, answer.value));
}

function kindOf(word: string): Kind {
  return word === 'weight' || word === 'disable' || word === 'force-up' ? word : 'drain';
}
