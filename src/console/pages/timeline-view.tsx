/** The timers drawn to scale: heartbeats until the freeze, how long the lease answers on, when the partner serves. */
import { type Timeline, ticks } from './timeline.ts';
import { lengthText } from './words.ts';

const WIDTH = 640;
const LEFT = 74;
const RIGHT = 20;

export function TimelineView({ timeline }: { timeline: Timeline }) {
  const { renewalMs, leaseMs, deadtimeMs, servesMs, sentence } = timeline;
  const endMs = servesMs * 1.18;
  const x = (ms: number): number => LEFT + (ms / endMs) * (WIDTH - LEFT - RIGHT);
  const answersMs = leaseMs ?? endMs;
  return (
    <figure class="timeline">
      <svg viewBox={`0 0 ${WIDTH} 132`} role="img" aria-label={sentence}>
        <text class="title" x={0} y={32}>
          active
        </text>
        <rect class="span active" x={x(0)} y={18} width={x(answersMs) - x(0)} height={20} rx={3} />
        <text class="what active" x={x(0) + 6} y={32}>
          {leaseMs === undefined
            ? 'frozen, and answers on'
            : `lease ${lengthText(leaseMs)}: its kernel answers`}
        </text>
        {leaseMs !== undefined && servesMs > leaseMs && (
          <rect
            class="span nobody"
            x={x(leaseMs)}
            y={18}
            width={x(servesMs) - x(leaseMs)}
            height={50}
          />
        )}
        <text class="title" x={0} y={62}>
          standby
        </text>
        <rect class="span standby" x={x(0)} y={48} width={x(servesMs) - x(0)} height={20} rx={3} />
        <text class="what standby" x={x(0) + 6} y={62}>
          {`silence, dead time ${lengthText(deadtimeMs)}`}
        </text>
        <rect
          class="span active"
          x={x(servesMs)}
          y={48}
          width={x(endMs) - x(servesMs)}
          height={20}
          rx={3}
        />
        <text class="what active" x={x(servesMs) + 6} y={62}>
          serves
        </text>
        <g class="axis">
          <line x1={x(0)} x2={x(endMs)} y1={84} y2={84} />
          {ticks(renewalMs, deadtimeMs).map((ms) => (
            <line key={ms} x1={x(ms)} x2={x(ms)} y1={80} y2={88} />
          ))}
          <text x={x(0)} y={104} text-anchor="start">
            last heartbeat, then freeze
          </text>
          {leaseMs !== undefined && (
            <Label x={x(leaseMs)} y={104} anchor="end" text={`lease over ${lengthText(leaseMs)}`} />
          )}
          <Label
            x={x(servesMs)}
            y={122}
            anchor="end"
            text={`partner serves ${lengthText(servesMs)}`}
          />
        </g>
      </svg>
      <figcaption>
        {sentence} Marks: one each {lengthText(renewalMs)}, when a heartbeat is due and the lease is
        renewed.
      </figcaption>
    </figure>
  );
}

function Label(props: { x: number; y: number; anchor: 'start' | 'end'; text: string }) {
  return (
    <>
      <line x1={props.x} x2={props.x} y1={78} y2={props.y - 12} />
      <text x={props.x} y={props.y} text-anchor={props.anchor}>
        {props.text}
      </text>
    </>
  );
}
