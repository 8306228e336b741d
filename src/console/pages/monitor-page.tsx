/** Control / Monitoring: the verdict, both nodes, paths and belief between them, the services, what happened. One screen. */
import { computed } from '@preact/signals';
import { Incidents } from './incidents.tsx';
import { isStale, lastTruthAt, pair, services, servicesThere, whyNotHere } from './live.ts';
import {
  MARKS,
  type NodeCard,
  nodeCards,
  otherNode,
  ownerOf,
  type Pair,
  type PairVerdict,
  pairVerdict,
  pastVerdict,
  pathRows,
  vipRows,
} from './monitor.ts';
import { Orders } from './orders.tsx';
import { Card, Pill, Table } from './parts.tsx';
import { withServices } from './service-rows.ts';
import { ServicesTable } from './services-table.tsx';
import { WhyNot } from './why-view.tsx';
import { clockText, counted, lengthText } from './words.ts';

const SHOWN_VIPS = 8;

export function Verdict() {
  const told = toldNow.value;
  if (told === undefined) {
    return (
      <div role="status" class="verdict dim">
        <strong>
          <span aria-hidden="true">– </span>
          {whyNotHere.value ?? 'Asking both directors …'}
        </strong>
      </div>
    );
  }
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

/** Of the services as the owner sees them: its clients are the ones that get an answer or none. */
const toldNow = computed<PairVerdict | undefined>(() => {
  const both = pair.value;
  if (both === undefined) return undefined;
  const told = pairVerdict(both);
  const isThere = ownerOf(both) === both.there && both.there !== undefined;
  const document = isThere ? servicesThere.value : services.value;
  return document === undefined ? told : withServices(told, document);
});

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
        <Table columns={['path', `${node} → ${other}`, `${other} → ${node}`, ['received', 'n']]}>
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
        </Table>
      )}
      <h2>Who is believed</h2>
      <Table columns={['VIP', 'owner', 'what the segment says']}>
        {rows.map(({ address, device, owner, tone, belief }) => (
          <tr key={address}>
            <th scope="row" class="vip" title={device}>
              {address}
            </th>
            <td>{owner}</td>
            <td>
              <Pill tone={tone}>{belief}</Pill>
            </td>
          </tr>
        ))}
      </Table>
      {more > 0 && <p class="dim">and {counted(more, 'more VIP')}, none of them in trouble</p>}
    </Card>
  );
}
