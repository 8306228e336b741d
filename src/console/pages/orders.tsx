/** Orders to a director, this machine's or the partner's: what fits its role, asked once more, followed to its end. */
import { useSignal } from '@preact/signals';
import type { OrderReport } from '../../director/index.ts';
import type { StatusDocument } from './documents.ts';
import { isStale, mayOperate } from './live.ts';
import { ask, type Side } from './net.ts';
import { Dialog, Pill, say } from './parts.tsx';

const ORDERS = {
  takeover: {
    title: 'Take over',
    meaning:
      'This node asks for the VIPs; the partner hands them over. Connections go on; a few packets may wait.',
  },
  resign: {
    title: 'Resign for a minute',
    meaning: 'This node gives the VIPs to its partner and does not take them back for a minute.',
  },
  'maintenance-on': {
    title: 'Maintenance on',
    meaning:
      'This node stays standby and takes nothing over until maintenance is off again. Nobody would take over for the partner.',
  },
  'maintenance-off': { title: 'Maintenance off', meaning: 'This node may take over again.' },
} as const;
type Order = keyof typeof ORDERS;
const RESIGN_MS = 60_000;

const LOOK_MS = 250;
const MOST_LOOKS = 60;

/** `status`: of the director that would obey. */
export function Orders({ status, side }: { status: StatusDocument; side: Side }) {
  const asked = useSignal<Order | undefined>(undefined);
  if (!mayOperate()) return null;
  return (
    <p class="actions">
      {ordersFor(status).map((order) => (
        <button
          type="button"
          key={order}
          disabled={isStale.value}
          onClick={() => {
            asked.value = order;
          }}
        >
          {ORDERS[order].title}
        </button>
      ))}
      {asked.value !== undefined && (
        <OrderDialog
          order={asked.value}
          node={status.node}
          side={side}
          onClose={() => {
            asked.value = undefined;
          }}
        />
      )}
    </p>
  );
}

function ordersFor({ role, reason }: StatusDocument): readonly Order[] {
  if (role === 'active') return ['resign'];
  if (role === 'fault' && reason === 'maintenance') return ['maintenance-off'];
  // An earlier resignation ends with the order; whatever else keeps it from taking over is refused.
  const isAble = role !== 'fault' || reason === 'operator';
  return isAble ? ['takeover', 'maintenance-on'] : ['maintenance-on'];
}

type Asked = { order: Order; node: string; side: Side; onClose: () => void };

function OrderDialog({ order, node, side, onClose }: Asked) {
  const { title, meaning } = ORDERS[order];
  const report = useSignal<OrderReport | undefined>(undefined);
  const isSent = useSignal(false);
  const give = async (): Promise<void> => {
    isSent.value = true;
    const body = { order, ...(order === 'resign' && { forMs: RESIGN_MS }) };
    let answer = await ask<OrderReport>('/v1/role', { body, side });
    for (let look = 0; look < MOST_LOOKS; look++) {
      if (!answer.ok) {
        say('bad', `${node}: ${answer.error.title}`);
        onClose();
        return;
      }
      report.value = answer.value;
      if (answer.value.state !== 'working') return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      answer = await ask<OrderReport>('/v1/role', { side });
    }
  };
  const told = report.value;
  return (
    <Dialog title={`${title} (${node})`} onClose={onClose}>
      <p>{meaning}</p>
      {told !== undefined && (
        <ol class="steps">
          {told.steps.map(({ text, afterMs }) => (
            <li key={text}>
              <span class="n">{afterMs.toFixed(1)} ms</span> {text}
            </li>
          ))}
        </ol>
      )}
      {told !== undefined && told.state !== 'working' ? (
        <Pill tone={told.state === 'done' ? 'good' : 'bad'}>{told.state}</Pill>
      ) : (
        <p class="actions">
          <button type="button" class="main" disabled={isSent.value} onClick={() => void give()}>
            {title}
          </button>
        </p>
      )}
    </Dialog>
  );
}
