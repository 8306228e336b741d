/**
 * The virtual services with their real servers, as one real table of which only the rows in sight exist: ten thousand real
 * servers scroll as smoothly as ten. Rows have one height; the table says how many there are (aria-rowcount).
 */
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { ServerRow, ServiceRow } from './documents.ts';
import { ageOfRow, history, now, SAMPLES, sampled, services } from './live.ts';
import { Card, Filter, NameCell, Pill } from './parts.tsx';
import { askAbout, ServerDialog } from './server-dialog.tsx';
import {
  checkWords,
  rowsInSight,
  serverState,
  serviceState,
  sparkPath,
  type TableRow,
  tableRows,
  weightText,
} from './service-rows.ts';
import { counted, rateText } from './words.ts';

const ROW_HEIGHT = 34;
const STEP = 8 * ROW_HEIGHT;
/** With its line. */
const HEAD_HEIGHT = 30;
const COLUMNS = 8;
const SPARK = { width: 90, height: 20, length: SAMPLES };

export function ServicesTable() {
  const words = useSignal('');
  const isTroubleOnly = useSignal(false);
  const document = services.value;
  const rows = useMemo(
    () =>
      document === undefined
        ? []
        : tableRows(document, { words: words.value, isTroubleOnly: isTroubleOnly.value }),
    [document, words.value, isTroubleOnly.value],
  );
  const servers = document?.services.reduce((sum, service) => sum + service.servers.length, 0) ?? 0;
  return (
    <Card
      title="Virtual services"
      class="services"
      aside={
        <Filter
          about="filter the services"
          words={words}
          toggle={{ about: 'trouble only', isOn: isTroubleOnly }}
        />
      }
    >
      <Rows rows={rows} />
      <ServerDialog />
      <p class="dim">
        {document === undefined
          ? 'not known yet'
          : `${counted(document.services.length, 'service')}, ${counted(servers, 'real server')}, by ${document.dataPlane.kind}`}
      </p>
    </Card>
  );
}

function Rows({ rows }: { rows: readonly TableRow[] }) {
  const box = useRef<HTMLElement>(null);
  const view = useSignal({ scrollTop: 0, height: 600 });
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const look = (): void => {
      // In steps of some rows: between two of them a scrolled list has nothing to draw anew.
      const scrollTop = Math.floor(element.scrollTop / STEP) * STEP;
      const height = element.clientHeight + STEP;
      const old = view.peek();
      if (old.scrollTop !== scrollTop || old.height !== height) view.value = { scrollTop, height };
    };
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, [view]);
  const { from, to } = rowsInSight({ count: rows.length, rowHeight: ROW_HEIGHT, ...view.value });
  const [above, below] = [from * ROW_HEIGHT, (rows.length - to) * ROW_HEIGHT];
  return (
    <section
      class="scroll"
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label="Virtual services, list"
      style={{ height: `${Math.max(3, rows.length) * ROW_HEIGHT + HEAD_HEIGHT}px` }}
    >
      <table aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">service, server</th>
            <th scope="col" class="wide">
              address
            </th>
            <th scope="col">health</th>
            <th scope="col" class="n wide">
              weight
            </th>
            <th scope="col" class="n">
              active
            </th>
            <th scope="col" class="n">
              conn/s
            </th>
            <th scope="col" class="wide">
              last 2 min
            </th>
            <th scope="col" class="wide">
              last check
            </th>
          </tr>
        </thead>
        <tbody>
          {above > 0 && <Spacer height={above} />}
          {rows
            .slice(from, to)
            .map((row, index) =>
              row.kind === 'service' ? (
                <Service
                  key={row.key}
                  rowKey={row.key}
                  service={row.service}
                  index={from + index}
                />
              ) : (
                <Server
                  key={row.key}
                  rowKey={row.key}
                  service={row.service}
                  server={row.server}
                  index={from + index}
                />
              ),
            )}
          {below > 0 && <Spacer height={below} />}
        </tbody>
      </table>
    </section>
  );
}

function Spacer({ height }: { height: number }) {
  return (
    <tr class="spacer">
      <td colSpan={COLUMNS} style={{ height: `${height}px` }} />
    </tr>
  );
}

function Service(props: { rowKey: string; service: ServiceRow; index: number }) {
  const { service, rowKey, index } = props;
  const { tone, text } = serviceState(service);
  const active = service.servers.reduce((sum, it) => sum + (it.connections?.active ?? 0), 0);
  return (
    <tr class="service" aria-rowindex={index + 2}>
      <th scope="rowgroup">{service.name}</th>
      <td class="wide">
        {service.key} {service.scheduler}
      </td>
      <td>
        <Pill tone={tone}>{text}</Pill>
      </td>
      <td class="n wide" />
      <td class="n">{active}</td>
      <td class="n">{rateText(service.traffic?.connectionRate ?? 0)}</td>
      <td class="wide">
        <Spark rowKey={rowKey} />
      </td>
      <td class="wide" />
    </tr>
  );
}

function Server(props: { rowKey: string; service: ServiceRow; server: ServerRow; index: number }) {
  const { service, server, rowKey, index } = props;
  const sinceMs = server.sinceMs + ageOfRow(service, now.value);
  const { tone, text } = serverState({ ...server, sinceMs });
  return (
    <tr class="server" aria-rowindex={index + 2}>
      <NameCell name={server.name} onOpen={() => askAbout(service, server)} />
      <td class="wide">
        {server.address}:{server.port} {server.method}
      </td>
      <td>
        <Pill tone={tone}>{text}</Pill>
      </td>
      <td class="n wide">{weightText(server)}</td>
      <td class="n">{server.connections?.active ?? '–'}</td>
      <td class="n">{rateText(server.traffic?.connectionRate ?? 0)}</td>
      <td class="wide">
        <Spark rowKey={rowKey} />
      </td>
      <td class="wide" title={checkWords(server)}>
        {checkWords(server)}
      </td>
    </tr>
  );
}

/** The number stands beside it; the line is for the eye only. */
function Spark({ rowKey }: { rowKey: string }) {
  void sampled.value;
  const { width, height } = SPARK;
  const samples = history.of(rowKey);
  if (samples.length < 2) return null;
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      <path d={sparkPath(samples, SPARK)} />
    </svg>
  );
}
