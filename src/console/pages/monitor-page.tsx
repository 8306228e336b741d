/** Control / Monitoring: the verdict, both nodes, paths and belief between them, the services, what happened. One screen. */
import { Incidents } from './incidents.tsx';
import { isStale, lastTruthAt, pair, whyNotHere } from './live.ts';
import {
  MARKS,
  type NodeCard,
  nodeCards,
  otherNode,
  type Pair,
  pairVerdict,
  pastVerdict,
  pathRows,
  vipRows,
} from './monitor.ts';
import { Orders } from './orders.tsx';
import { Card, Pill } from './parts.tsx';
import { ServicesTable } from './services-table.tsx';
import { WhyNot } from './why-view.tsx';
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
      <WhyNot />
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
  const { node, isHere, tone, headline, remark, facts, lease, status, why } = card;
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
      {status !== undefined && <Orders status={status} side={isHere ? 'local' : 'partner'} />}
      {why !== undefined && <p class="dim">No order to it from here. {why}</p>}
    </Card>
  );
}

function Between({ pair: both }: { pair: Pair }) {
  const { node, timers } = both.here;
  const other = otherNode(both.here);
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
