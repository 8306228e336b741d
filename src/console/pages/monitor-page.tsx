/** Control / Monitoring: the verdict, both nodes, paths and belief between them, the services, what happened. One screen. */
import { useState } from 'preact/hooks';
import type { OrderReport } from '../../director/index.ts';
import { Incidents } from './incidents.tsx';
import { here, isStale, lastTruthAt, pair, session, whyNotHere } from './live.ts';
import {
  MARKS,
  type NodeCard,
  nodeCards,
  type Pair,
  pairVerdict,
  pastVerdict,
  pathRows,
  vipRows,
} from './monitor.ts';
import { ask } from './net.ts';
import { Card, Dialog, Pill, say } from './parts.tsx';
import { ServicesTable } from './services-table.tsx';
import { clockText, counted, lengthText } from './words.ts';

const SHOWN_VIPS = 8;

export function Verdict() {
  const both = pair.value;
  if (both === undefined) {
    return (
      <div role="status" class="verdict dim">
        <strong>
          <span aria-hidden="true">– </span>
          {whyNotHere.value ?? 'Asking both directors …'}
        </strong>
      </div>
    );
  }
  const told = pairVerdict(both);
  const isPast = isStale.value || whyNotHere.value !== undefined;
  const { tone, title, detail } = isPast ? pastVerdict(told, clockText(lastTruthAt.value)) : told;
  return (
    <div role="status" class={`verdict ${tone}`}>
      <strong>
        <span aria-hidden="true">{MARKS[tone]} </span>
        {title}
      </strong>
      {detail !== '' && <small>{detail}</small>}
    </div>
  );
}

export function MonitorPage() {
  const both = pair.value;
  return (
    <>
      <Verdict />
      {both !== undefined && <PairView pair={both} />}
      <div class="two">
        <ServicesTable />
        <Incidents />
      </div>
    </>
  );
}

function PairView({ pair: both }: { pair: Pair }) {
  const cards = nodeCards(both);
  const [first, second] = cards;
  return (
    <div class="pair">
      {first !== undefined && <NodeView card={first} />}
      <Between pair={both} />
      {second !== undefined && <NodeView card={second} />}
    </div>
  );
}

function NodeView({ card }: { card: NodeCard }) {
  const { node, isHere, tone, headline, remark, facts, lease } = card;
  return (
    <Card title={isHere ? `${node} · this node` : node} class={`node ${tone}`}>
      <p class="role">
        <span aria-hidden="true">{MARKS[tone]} </span>
        {headline} <small>{remark}</small>
      </p>
      {lease !== undefined && (
        <p class="lease">
          <label>
            lease{' '}
            <meter min={0} max={lease.lengthMs} value={Math.min(lease.leftMs, lease.lengthMs)} />{' '}
            {lengthText(lease.leftMs)} of {lengthText(lease.lengthMs)} left
          </label>
        </p>
      )}
      <dl class="facts">
        {facts.map(({ label, value, tone: factTone }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{factTone === undefined ? value : <Pill tone={factTone}>{value}</Pill>}</dd>
          </div>
        ))}
      </dl>
      {isHere && <Orders />}
    </Card>
  );
}

function Between({ pair: both }: { pair: Pair }) {
  const { node, timers } = both.here;
  const other = node === 'primary' ? 'backup' : 'primary';
  const paths = pathRows(both);
  const { rows, more } = vipRows(both, SHOWN_VIPS);
  const title =
    timers === undefined
      ? 'Heartbeat paths'
      : `Heartbeats: every ${lengthText(timers.keepaliveMs)}, dead after ${lengthText(timers.deadtimeMs)}`;
  return (
    <Card title={title} class="between">
      {paths.length === 0 ? (
        <p>No partner is configured.</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">path</th>
              <th scope="col">
                {node} → {other}
              </th>
              <th scope="col">
                {other} → {node}
              </th>
              <th scope="col" class="n">
                received
              </th>
            </tr>
          </thead>
          <tbody>
            {paths.map(({ name, out, back, received, here: own, there }) => (
              <tr key={name}>
                <th scope="row" title={`${own} and ${there}`}>
                  {name}
                </th>
                <td>
                  <Pill tone={out.tone}>{out.text}</Pill>
                </td>
                <td>
                  <Pill tone={back.tone}>{back.text}</Pill>
                </td>
                <td class="n">{received}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <h2>Who is believed</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">VIP</th>
            <th scope="col">owner</th>
            <th scope="col">what the segment says</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ address, device, owner, tone, belief }) => (
            <tr key={address}>
              <th scope="row" title={device}>
                {address}
              </th>
              <td>{owner}</td>
              <td>
                <Pill tone={tone}>{belief}</Pill>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {more > 0 && <p class="dim">and {counted(more, 'more VIP')}, none of them in trouble</p>}
    </Card>
  );
}

const ORDERS = {
  takeover: 'Take over',
  resign: 'Resign for a minute',
  'maintenance-on': 'Maintenance on',
  'maintenance-off': 'Maintenance off',
} as const;
type Order = keyof typeof ORDERS;
const RESIGN_MS = 60_000;

/** Of this director only: the partner obeys its own console. */
function Orders() {
  const [asked, setAsked] = useState<Order | undefined>(undefined);
  const status = here.value;
  if (status === undefined || session.value?.rights === 'look') return null;
  const isInMaintenance = status.role === 'fault' && status.reason === 'operator';
  const orders: readonly Order[] =
    status.role === 'active'
      ? ['resign']
      : isInMaintenance
        ? ['maintenance-off']
        : ['takeover', 'maintenance-on'];
  return (
    <p class="actions">
      {orders.map((order) => (
        <button type="button" key={order} onClick={() => setAsked(order)}>
          {ORDERS[order]}
        </button>
      ))}
      {asked !== undefined && (
        <OrderDialog order={asked} node={status.node} onClose={() => setAsked(undefined)} />
      )}
    </p>
  );
}

const MEANINGS: Readonly<Record<Order, string>> = {
  takeover:
    'This node asks for the VIPs; the partner hands them over. Connections go on; a few packets may wait.',
  resign: 'This node gives the VIPs to its partner and does not take them back for a minute.',
  'maintenance-on':
    'This node stays standby and takes nothing over until maintenance is off again. Nobody would take over for the partner.',
  'maintenance-off': 'This node may take over again.',
};

function OrderDialog(props: { order: Order; node: string; onClose: () => void }) {
  const { order, node, onClose } = props;
  const [report, setReport] = useState<OrderReport | undefined>(undefined);
  const [isSent, setSent] = useState(false);
  const give = async (): Promise<void> => {
    setSent(true);
    const body = { order, ...(order === 'resign' && { forMs: RESIGN_MS }) };
    let answer = await ask<OrderReport>('/v1/role', { body });
    for (let look = 0; look < 60; look++) {
      if (!answer.ok) {
        say('bad', `Refused: ${answer.error.title}`);
        onClose();
        return;
      }
      setReport(answer.value);
      if (answer.value.state !== 'working') return;
      await new Promise((resolve) => setTimeout(resolve, 250));
      answer = await ask<OrderReport>('/v1/role');
    }
  };
  return (
    <Dialog title={`${ORDERS[order]} (${node})`} onClose={onClose}>
      <p>{MEANINGS[order]}</p>
      {report !== undefined && (
        <ol class="steps">
          {report.steps.map(({ text, afterMs }) => (
            <li key={text}>
              <span class="n">{afterMs.toFixed(1)} ms</span> {text}
            </li>
          ))}
        </ol>
      )}
      {report !== undefined && report.state !== 'working' ? (
        <Pill tone={report.state === 'done' ? 'good' : 'bad'}>{report.state}</Pill>
      ) : (
        <p class="actions">
          <button type="button" class="main" disabled={isSent} onClick={() => void give()}>
            {ORDERS[order]}
          </button>
        </p>
      )}
    </Dialog>
  );
}
