/** Audit: who asked either node for what, from where, and what came of it; filtered, and exported as lines of JSON. */
import { useComputed, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import {
  type AuditPart,
  type AuditRow,
  actionText,
  auditLines,
  auditRows,
  detailText,
  fittingRows,
} from './audit-rows.ts';
import type { AuditEntry } from './documents.ts';
import { aheadMs, happenings, nodeOf, now } from './live.ts';
import { ask, SIDES, type Side } from './net.ts';
import { Card, Download, Filter, Pill, Table } from './parts.tsx';
import { counted, lengthText, whenText } from './words.ts';

/** What a director tells at a time at most. */
const LIMIT = 1000;
const SHOWN = 200;

export function AuditPage() {
  const parts = useSignal<readonly Part[]>([]);
  const troubles = useSignal<readonly string[]>([]);
  const words = useSignal('');
  const isRefusedOnly = useSignal(false);
  const rows = useComputed(() => auditRows(parts.value.map(onOneClock)));
  const fitting = useComputed(() =>
    fittingRows(rows.value, { words: words.value, isRefusedOnly: isRefusedOnly.value }),
  );
  // Each entry is told as an event, too.
  const told = happenings.value.filter(({ kind }) => kind === 'audit').length;
  useEffect(() => {
    void load().then((loaded) => {
      parts.value = loaded.parts;
      troubles.value = loaded.troubles;
    });
  }, [told, parts, troubles]);
  return (
    <Card
      title="Who did what, both nodes, one clock"
      class="audit"
      aside={
        <Filter
          about="filter the audit"
          words={words}
          toggle={{ about: 'refused only', isOn: isRefusedOnly }}
        />
      }
    >
      {troubles.value.map((trouble) => (
        <p key={trouble}>
          <Pill tone="warn">{trouble}</Pill>
        </p>
      ))}
      {aheadMs.value !== 0 && (
        <p>
          <Pill tone="warn">
            The clocks of the two nodes differ by {lengthText(Math.abs(aheadMs.value))}; times are{' '}
            {nodeOf('local')}
            ’s.
          </Pill>
        </p>
      )}
      {fitting.value.length === 0 ? (
        <p class="dim">
          {rows.value.length === 0 ? 'Nobody has asked for a change yet.' : 'No entry fits.'}
        </p>
      ) : (
        <Rows rows={fitting.value.slice(0, SHOWN)} />
      )}
      {fitting.value.length > 0 && (
        <p class="actions below">
          <Download
            name="audit.jsonl"
            text={() => auditLines(fitting.value)}
            label={`Export ${counted(fitting.value.length, 'line')} of JSON`}
          />
          {fitting.value.length > SHOWN && (
            <span class="dim">the newest {SHOWN} are shown, all of them exported</span>
          )}
        </p>
      )}
    </Card>
  );
}

type Part = { readonly side: Side; readonly entries: readonly AuditEntry[] };

function onOneClock({ side, entries }: Part): AuditPart {
  return { node: nodeOf(side), entries, aheadMs: side === 'local' ? 0 : aheadMs.value };
}

async function load() {
  const answers = await Promise.all(
    SIDES.map(async (side) => ({
      side,
      answer: await ask<{ entries: readonly AuditEntry[] }>(`/v1/audit?limit=${LIMIT}`, { side }),
    })),
  );
  return {
    parts: answers.flatMap(({ side, answer }) =>
      answer.ok ? [{ side, entries: answer.value.entries }] : [],
    ),
    troubles: answers.flatMap(({ side, answer }) =>
      answer.ok ? [] : [`The audit of ${nodeOf(side)} is not here. ${answer.error.title}`],
    ),
  };
}

function Rows({ rows }: { rows: readonly AuditRow[] }) {
  return (
    <Table columns={['when, where', 'who', ['by way of', 'wide'], 'what', 'result']}>
      {rows.map(({ key, wallMs, node, entry }) => (
        <tr key={key}>
          <td>
            <time dateTime={entry.at} title={entry.at}>
              {whenText(wallMs, now.value)}
            </time>{' '}
            {node}
          </td>
          <td>{entry.who}</td>
          <td class="wide">{entry.from}</td>
          <td>
            <strong>{actionText(entry.action)}</strong> {detailText(entry.detail)}
            {entry.reason !== undefined && entry.reason !== '' && <small> “{entry.reason}”</small>}
          </td>
          <td>
            <Pill tone={entry.result === 'done' ? 'good' : 'warn'}>{entry.result}</Pill>
          </td>
        </tr>
      ))}
    </Table>
  );
}
