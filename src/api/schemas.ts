/**
 * The documents of the API as schemas, beside the TypeScript types that the director makes them of: a row of the table
 * only compiles when the two agree, and the tests hold every answer against them. Sizes of answers are not bounded here;
 * those of what comes in are (route.ts).
 */
import * as v from 'valibot';
import { DROP_REASONS, type DropReason, OVERRIDE_KINDS, SERVER_REASONS } from '../core/index.ts';
import { AUDIT_RESULTS, EVENT_KINDS, LEVELS, ORDERS } from '../director/index.ts';
import { PROBE_FAILURES, REASONS } from '../model/index.ts';
import { PROBLEMS } from './problem.ts';

/** The names of a table as a list for a picklist. */
function namesOf<K extends string>(table: { readonly [name in K]: unknown }): readonly K[] {
  const isName = (name: string): name is K => name in table;
  return Object.keys(table).filter(isName);
}

export const version = v.literal(1);
const node = v.picklist(['primary', 'backup']);
const role = v.picklist(['active', 'standby', 'claim', 'fault']);
const reason = v.picklist(REASONS);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const ms = v.pipe(v.number(), v.minValue(0));
export const at = v.pipe(v.string(), v.isoTimestamp());
const perPath = v.strictObject({ public: count, private: count });

const belief = v.strictObject({
  owner: v.picklist(['us', 'partner', 'stranger', 'unknown']),
  witness: v.exactOptional(v.string()),
  tookMs: v.exactOptional(ms),
});

const pair = v.strictObject({
  epoch: count,
  speaks: v.picklist(['auto', 'legacy']),
  isAuthenticated: v.boolean(),
  witness: v.strictObject({
    verify: v.picklist(['off', 'gateway', 'hosts']),
    isHearing: v.boolean(),
    isAsked: v.boolean(),
  }),
  lease: v.exactOptional(
    v.strictObject({
      lengthMs: ms,
      remainingMs: v.exactOptional(v.number()),
      hooks: v.picklist(['in', 'in+out', 'lifetimes']),
      isProtected: v.boolean(),
      restored: count,
    }),
  ),
  partner: v.strictObject({
    dialect: v.picklist(['unknown', 'legacy', 'extended']),
    role: v.exactOptional(v.string()),
    isEligible: v.exactOptional(v.boolean()),
    reason: v.exactOptional(reason),
    epoch: v.exactOptional(count),
    leaseMs: v.exactOptional(ms),
    serialNo: v.exactOptional(count),
    hasSameConfiguration: v.exactOptional(v.boolean()),
  }),
});

const isDropReason = (word: string): word is DropReason => DROP_REASONS.some((it) => it === word);
const dropped = v.strictObject(
  Object.fromEntries(
    DROP_REASONS.filter(isDropReason).map((word) => [word, v.exactOptional(count)]),
  ),
);

const counters = v.strictObject({
  sent: perPath,
  sendErrors: perPath,
  received: perPath,
  dropped,
  announced: count,
  announceErrors: count,
  repaired: count,
  lateWakes: count,
  worstLateMs: ms,
});

export const status = v.strictObject({
  v: version,
  verdict: v.strictObject({ level: v.picklist(LEVELS), text: v.string() }),
  pid: count,
  node,
  role,
  reason,
  since: at,
  sinceMs: v.number(),
  startedAt: at,
  configuration: v.strictObject({ file: v.string(), serialNo: count }),
  timers: v.strictObject({ keepaliveMs: ms, deadtimeMs: ms }),
  dataPlane: v.exactOptional(v.strictObject({ kind: v.string(), why: v.string() })),
  beside: v.exactOptional(v.array(v.string())),
  partner: v.strictObject({
    state: v.picklist(['none', 'heard', 'silent', 'never-heard']),
    said: v.picklist(['nothing', 'running', 'stopped']),
    paths: v.array(
      v.strictObject({
        name: v.picklist(['public', 'private']),
        own: v.string(),
        partner: v.string(),
        link: v.picklist(['up', 'down']),
        heardMsAgo: v.exactOptional(ms),
        sent: count,
        sendErrors: count,
        received: count,
      }),
    ),
  }),
  pair: v.exactOptional(pair),
  vips: v.array(
    v.strictObject({
      address: v.string(),
      device: v.string(),
      state: v.picklist(['up', 'down', 'changing']),
      belief: v.exactOptional(belief),
    }),
  ),
  refusal: v.exactOptional(v.string()),
  counters,
  changes: v.array(v.strictObject({ at, from: role, to: role, reason })),
});

const traffic = v.strictObject({
  connections: count,
  inPackets: count,
  outPackets: count,
  inBytes: count,
  outBytes: count,
  connectionRate: v.number(),
  inByteRate: v.number(),
  outByteRate: v.number(),
});

const override = v.strictObject({
  target: v.string(),
  kind: v.picklist(OVERRIDE_KINDS),
  weight: v.exactOptional(count),
  leftMs: v.exactOptional(ms),
});

export const SERVER_WORDS = [...SERVER_REASONS, ...PROBE_FAILURES] as const;

const server = v.strictObject({
  name: v.string(),
  address: v.string(),
  port: count,
  method: v.picklist(['direct', 'tunnel', 'nat']),
  configuredWeight: count,
  weight: v.exactOptional(count),
  state: v.picklist(['active', 'quiesced', 'inactive']),
  reason: v.picklist(SERVER_WORDS),
  detail: v.exactOptional(v.string()),
  sinceMs: v.number(),
  override: v.exactOptional(override),
  connections: v.exactOptional(v.strictObject({ active: count, inactive: count })),
  traffic: v.exactOptional(traffic),
});

export const services = v.strictObject({
  v: version,
  dataPlane: v.strictObject({ kind: v.picklist(['ipvs', 'nftables', 'none']), why: v.string() }),
  services: v.array(
    v.strictObject({
      name: v.string(),
      key: v.string(),
      scheduler: v.string(),
      persistentSeconds: count,
      quorum: v.picklist(['unknown', 'reached', 'lost']),
      stands: v.boolean(),
      sorryServer: v.exactOptional(v.strictObject({ address: v.string(), isShown: v.boolean() })),
      traffic: v.exactOptional(traffic),
      servers: v.array(server),
    }),
  ),
  overrides: v.array(override),
});

export const event = v.strictObject({
  id: v.string(),
  at,
  node,
  kind: v.picklist(namesOf(EVENT_KINDS)),
  text: v.string(),
  reason: v.exactOptional(v.string()),
  from: v.exactOptional(v.string()),
  to: v.exactOptional(v.string()),
  service: v.exactOptional(v.string()),
  server: v.exactOptional(v.string()),
  who: v.exactOptional(v.string()),
});

export const auditEntry = v.strictObject({
  at,
  who: v.string(),
  from: v.string(),
  action: v.string(),
  reason: v.exactOptional(v.string()),
  result: v.picklist(AUDIT_RESULTS),
  detail: v.string(),
  previous: v.string(),
});

export const incident = v.strictObject({
  id: v.string(),
  at,
  node: v.string(),
  roles: v.array(v.strictObject({ from: v.string(), to: v.string(), reason: v.string() })),
  bytes: count,
});

export const orderReport = v.strictObject({
  order: v.picklist(ORDERS),
  state: v.picklist(['working', 'done', 'failed']),
  steps: v.array(v.strictObject({ text: v.string(), afterMs: v.number() })),
});

/** Of every refusal. */
export const problem = v.strictObject({
  type: v.string(),
  title: v.string(),
  status: count,
  reason: v.picklist(namesOf(PROBLEMS)),
  lines: v.exactOptional(v.array(v.string())),
});
