import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ip } from '../base/index.ts';
import {
  type DestinationRow,
  endpointText,
  type ServiceEntry,
  type ServiceTable,
  serviceKeyText,
  type TableOperation,
} from '../model/index.ts';
import { equalDestinations, equalServices, planTable } from './table-plan.ts';

function service(
  port: number,
  servers: readonly DestinationRow[],
  scheduler = 'wlc',
): ServiceEntry {
  return {
    service: {
      key: { kind: 'address', protocol: 'tcp', address: ip('198.51.100.100'), port },
      scheduler,
      flags: [],
      persistentSeconds: 0,
      persistencePrefixLength: 32,
    },
    destinations: servers,
  };
}

function server(last: number, weight = 1, method: 'nat' | 'direct' = 'direct'): DestinationRow {
  const address = ip(`198.51.100.${last}`);
  return { address, port: 80, method, weight, upperThreshold: 0, lowerThreshold: 0 };
}

const NOBODY: ReadonlySet<string> = new Set();
const keysOf = (table: ServiceTable) =>
  new Set(table.map((entry) => serviceKeyText(entry.service.key)));

/** `add-destination 198.51.100.21 w1`, `delete-service tcp ...`: enough to read an order. */
function words(operations: readonly TableOperation[]): string[] {
  return operations.map((operation) => {
    if ('destination' in operation) {
      return `${operation.kind} ${operation.destination.address} w${operation.destination.weight}`;
    }
    const key = 'service' in operation ? operation.service.key : operation.key;
    return `${operation.kind} ${serviceKeyText(key)}`;
  });
}

test('a table that stands as desired costs no write', () => {
  const table = [service(80, [server(21), server(22)]), service(443, [server(21)])];
  assert.deepEqual(planTable(table, structuredClone(table), NOBODY), []);
});

test('one changed weight among a thousand services is exactly one write', () => {
  const servers = Array.from({ length: 10 }, (_, index) => server(21 + index));
  const before = Array.from({ length: 1000 }, (_, index) => service(1 + index, servers));
  const after = before.map((entry, index) =>
    index === 500 ? service(501, [server(21, 7), ...servers.slice(1)]) : entry,
  );
  assert.deepEqual(words(planTable(after, before, NOBODY)), ['edit-destination 198.51.100.21 w7']);
});

test('a changed scheduler is one edit of the service, and its servers are not touched', () => {
  const before = [service(80, [server(21), server(22)], 'rr')];
  const after = [service(80, [server(21), server(22)], 'wlc')];
  assert.deepEqual(words(planTable(after, before, NOBODY)), ['edit-service tcp 198.51.100.100:80']);
});

test('a server comes before the sorry server goes, and goes after the sorry server came', () => {
  const sorry = service(80, [server(99)]);
  const real = service(80, [server(21)]);
  assert.deepEqual(words(planTable([real], [sorry], NOBODY)), [
    'add-destination 198.51.100.21 w1',
    'delete-destination 198.51.100.99 w1',
  ]);
  assert.deepEqual(words(planTable([sorry], [real], NOBODY)), [
    'add-destination 198.51.100.99 w1',
    'delete-destination 198.51.100.21 w1',
  ]);
});

test('a weight is raised before another is lowered', () => {
  const before = [service(80, [server(21, 5), server(22, 0)])];
  const after = [service(80, [server(21, 0), server(22, 5)])];
  assert.deepEqual(words(planTable(after, before, NOBODY)), [
    'edit-destination 198.51.100.22 w5',
    'edit-destination 198.51.100.21 w0',
  ]);
});

test('a service of nobody we know is left alone, one that we wrote before is removed', () => {
  const standing = [service(80, [server(21)]), service(8080, [server(21)])];
  const ours = new Set(['tcp 198.51.100.100:80']);
  assert.deepEqual(words(planTable([], standing, ours)), ['delete-service tcp 198.51.100.100:80']);
});

test('an emptied kernel gets the whole table back', () => {
  const table = [service(80, [server(21), server(22)])];
  assert.deepEqual(words(planTable(table, [], keysOf(table))), [
    'add-service tcp 198.51.100.100:80',
    'add-destination 198.51.100.21 w1',
    'add-destination 198.51.100.22 w1',
  ]);
});

/** What IPVS does with a write, its refusals included. */
class ModelKernel {
  readonly #services = new Map<string, ServiceEntry>();

  constructor(table: ServiceTable) {
    for (const entry of table) this.#services.set(serviceKeyText(entry.service.key), entry);
  }

  apply(operation: TableOperation): void {
    switch (operation.kind) {
      case 'add-service': {
        const key = serviceKeyText(operation.service.key);
        assert.ok(!this.#services.has(key), `EEXIST ${key}`);
        this.#services.set(key, { service: operation.service, destinations: [] });
        return;
      }
      case 'edit-service': {
        const { destinations } = this.entry(serviceKeyText(operation.service.key));
        const key = serviceKeyText(operation.service.key);
        this.#services.set(key, { service: operation.service, destinations });
        return;
      }
      case 'delete-service':
        this.entry(serviceKeyText(operation.key));
        this.#services.delete(serviceKeyText(operation.key));
        return;
      default:
        this.#destination(operation);
    }
  }

  #destination(operation: Extract<TableOperation, { destination: DestinationRow }>): void {
    const key = serviceKeyText(operation.key);
    const { service: row, destinations } = this.entry(key);
    const { address, port } = operation.destination;
    const index = destinations.findIndex((d) => d.address === address && d.port === port);
    assert.equal(index < 0, operation.kind === 'add-destination', `${operation.kind} ${address}`);
    const rest = destinations.filter((_, at) => at !== index);
    const kept = operation.kind === 'delete-destination' ? rest : [...rest, operation.destination];
    this.#services.set(key, { service: row, destinations: kept });
  }

  entry(key: string): ServiceEntry {
    const entry = this.#services.get(key);
    assert.ok(entry !== undefined, `ENOENT ${key}`);
    return entry;
  }

  has(key: string): boolean {
    return this.#services.has(key);
  }

  keys(): string[] {
    return [...this.#services.keys()];
  }
}

function isServing(entry: ServiceEntry | undefined): boolean {
  return entry?.destinations.some((row) => row.weight > 0) ?? false;
}

const destinations = fc.uniqueArray(
  fc.record({
    last: fc.integer({ min: 1, max: 5 }),
    weight: fc.integer({ min: 0, max: 3 }),
    method: fc.constantFrom<'nat' | 'direct'>('nat', 'direct'),
  }),
  { selector: ({ last }) => last, maxLength: 5 },
);
const tables = fc.uniqueArray(
  fc
    .tuple(fc.integer({ min: 1, max: 6 }), destinations, fc.constantFrom('rr', 'wlc'))
    .map(([port, list, scheduler]) =>
      service(
        port,
        list.map(({ last, weight, method }) => server(last, weight, method)),
        scheduler,
      ),
    ),
  { selector: (entry) => serviceKeyText(entry.service.key), maxLength: 6 },
);

/** How many rows differ: no plan can be shorter. */
function distance(
  desired: ServiceTable,
  observed: ServiceTable,
  ours: ReadonlySet<string>,
): number {
  const standing = new Map(observed.map((entry) => [serviceKeyText(entry.service.key), entry]));
  let count = 0;
  for (const entry of desired) {
    const current = standing.get(serviceKeyText(entry.service.key));
    if (current === undefined || !equalServices(entry.service, current.service)) count++;
    const rows = new Map(current?.destinations.map((r) => [endpointText(r.address, r.port), r]));
    for (const row of entry.destinations) {
      const old = rows.get(endpointText(row.address, row.port));
      if (old === undefined || !equalDestinations(row, old)) count++;
      rows.delete(endpointText(row.address, row.port));
    }
    count += rows.size;
  }
  const wanted = keysOf(desired);
  return count + [...standing.keys()].filter((key) => ours.has(key) && !wanted.has(key)).length;
}

test('any plan, applied to a kernel, gives the desired table, leaves strangers and never empties a service', () => {
  const subset = fc.uniqueArray(fc.integer({ min: 1, max: 6 }));
  fc.assert(
    fc.property(tables, tables, subset, (desired, observed, ports) => {
      const ours = new Set(ports.map((port) => `tcp 198.51.100.100:${port}`));
      const kernel = new ModelKernel(observed);
      const wanted = new Map(desired.map((entry) => [serviceKeyText(entry.service.key), entry]));
      const served = observed.filter(
        (entry) => isServing(entry) && isServing(wanted.get(serviceKeyText(entry.service.key))),
      );
      const plan = planTable(desired, observed, ours);
      for (const operation of plan) {
        kernel.apply(operation);
        for (const entry of served) {
          const key = serviceKeyText(entry.service.key);
          assert.ok(isServing(kernel.entry(key)), `${key} has no server left`);
        }
      }
      assert.equal(plan.length, distance(desired, observed, ours));
      const byAddress = (entry: ServiceEntry) => ({
        service: entry.service,
        rows: [...entry.destinations].sort((a, b) => (a.address < b.address ? -1 : 1)),
      });
      for (const [key, entry] of wanted) {
        assert.deepEqual(byAddress(kernel.entry(key)), byAddress(entry));
      }
      for (const entry of observed) {
        const key = serviceKeyText(entry.service.key);
        if (wanted.has(key)) continue;
        assert.equal(kernel.has(key), !ours.has(key));
        if (!ours.has(key)) assert.equal(kernel.entry(key), entry);
      }
      assert.deepEqual(
        planTable(
          desired,
          kernel.keys().map((key) => kernel.entry(key)),
          ours,
        ),
        [],
      );
    }),
    { numRuns: 1000 },
  );
});
