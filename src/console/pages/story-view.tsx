/** A trace on the page: lanes of both directors and of the router over time, and below them the two-column diagram. */
import type { Lanes, Span } from './lanes.ts';
import { Download } from './parts.tsx';
import { lengthText } from './words.ts';

const WIDTH = 1000;
const LANE = 30;
const LEFT = 80;

export type Told = {
  readonly lanes: Lanes;
  readonly diagram: string;
  readonly remarks: readonly string[];
  readonly files: readonly { readonly name: string; readonly text: string }[];
};

export function StoryView({ story, name }: { story: Told; name: string }) {
  return (
    <div class="story">
      <LanesView lanes={story.lanes} />
      <ul class="remarks">
        {story.remarks.map((remark) => (
          <li key={remark}>{remark}</li>
        ))}
      </ul>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <section class="diagram" tabIndex={0} aria-label="what happened, in two columns">
        <pre>{story.diagram}</pre>
      </section>
      <p class="actions">
        {story.files.map((file) => (
          <Download
            key={file.name}
            name={file.name}
            text={() => file.text}
            label={`Export ${file.name}`}
          />
        ))}
        <Download name={`${name}.txt`} text={() => story.diagram} label="Export the diagram" />
      </p>
    </div>
  );
}

/** One row for each director, one for the router; where the router finds nobody is hatched. */
export function LanesView({ lanes }: { lanes: Lanes }) {
  const { fromMs, toMs, primary, backup, router, moments } = lanes;
  const x = (ms: number): number =>
    LEFT + ((Math.min(ms, toMs) - fromMs) / (toMs - fromMs)) * (WIDTH - LEFT);
  const rows = [
    { title: 'primary', spans: primary },
    { title: 'backup', spans: backup },
    { title: 'router', spans: router },
  ];
  const seconds = axis(toMs - fromMs);
  return (
    <svg
      class="lanes"
      viewBox={`0 0 ${WIDTH} ${LANE * 3 + 56}`}
      role="img"
      aria-label={rows.map(({ title, spans }) => `${title}: ${spansText(spans)}`).join('. ')}
    >
      {moments.map(({ atMs, text }) => (
        <g key={`${atMs} ${text}`}>
          <line class="moment" x1={x(atMs)} x2={x(atMs)} y1={14} y2={LANE * 3 + 22} />
          <text class="moment" x={Math.min(x(atMs) + 3, WIDTH - 200)} y={11}>
            {text}
          </text>
        </g>
      ))}
      {rows.map(({ title, spans }, index) => (
        <g key={title} transform={`translate(0 ${18 + index * LANE})`}>
          <text class="title" x={0} y={19}>
            {title}
          </text>
          {spans.map((span) => {
            const width = Math.max(1, x(span.toMs) - x(span.fromMs));
            return (
              <g key={span.fromMs}>
                <title>{`${span.what} from ${lengthText(span.fromMs)} to ${lengthText(span.toMs)}`}</title>
                <rect
                  class={`span ${span.what}`}
                  x={x(span.fromMs)}
                  y={3}
                  width={width}
                  height={LANE - 6}
                  rx={3}
                />
                {width > span.what.length * 8 + 8 && (
                  <text class={`what ${span.what}`} x={x(span.fromMs) + 6} y={19}>
                    {span.what}
                  </text>
                )}
              </g>
            );
          })}
        </g>
      ))}
      {seconds.map((ms) => (
        <g key={ms} class="axis">
          <line x1={x(fromMs + ms)} x2={x(fromMs + ms)} y1={LANE * 3 + 18} y2={LANE * 3 + 24} />
          <text x={x(fromMs + ms)} y={LANE * 3 + 38} text-anchor="middle">
            {lengthText(ms)}
          </text>
        </g>
      ))}
    </svg>
  );
}

function axis(lengthMs: number): readonly number[] {
  const steps = [50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000];
  const step = steps.find((it) => lengthMs / it <= 10) ?? 120_000;
  return Array.from({ length: Math.floor(lengthMs / step) }, (_, index) => (index + 1) * step);
}

function spansText(spans: readonly Span[]): string {
  return spans.map(({ what, fromMs }) => `${what} from ${lengthText(fromMs)}`).join(', ');
}
