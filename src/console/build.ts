/**
 * `node src/console/build.ts OUTDIR`: makes what the console serves and runs, and says whether it is small enough.
 *
 *   OUTDIR/console.mjs        the console's process: TypeScript does not run under --jitless
 *   OUTDIR/index.html, login.html, manifest.json
 *   OUTDIR/assets/NAME-HASH.js and .css, each with its .gz and .br beside it
 *
 * A name carries the hash of its content, so a browser may keep it for ever. What belongs to the first screen is what
 * index.html names and what those files import; a chunk that is fetched later (pages/rehearse.ts) counts for itself.
 *
 * Rejected: a bundler with a server of its own (a second way to run the pages), and compressing at each request (a
 * client could make us work).
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Metafile, OutputFile } from 'esbuild';
import { CONSOLE_ROOT, type Manifest } from './manifest.ts';
import { apiRoute } from './pass-on.ts';
import { reasonsOf } from './reasons.ts';

const PAGES = 'src/console/pages';
const PROCESS = 'src/cli/console-process.ts';
const REASONS = 'docs/reasons.md';
const HTML = ['index', 'login'] as const;
const kB = 1000;

export type Budget = { readonly name: string; readonly bytes: number; readonly limit: number };

/** Gzipped bytes. The page of a chunk that nobody imports yet has no budget. */
const LIMITS = { firstScreen: 60 * kB, login: 10 * kB, rehearse: 120 * kB };

/** Builds everything into `directory`, which is made anew. Throws what esbuild or the file system says. */
export async function buildConsole(directory: string): Promise<readonly Budget[]> {
  const esbuild = await import('esbuild');
  const common = {
    absWorkingDir: CONSOLE_ROOT,
    bundle: true,
    format: 'esm',
    write: false,
    metafile: true,
    logLevel: 'silent',
    legalComments: 'none',
    jsx: 'automatic',
    jsxImportSource: 'preact',
  } as const;
  const pages = await esbuild.build({
    ...common,
    entryPoints: HTML.flatMap((name) => [`${PAGES}/${name}.ts`, `${PAGES}/${name}.css`]),
    splitting: true,
    minify: true,
    target: ['es2024'],
    define: { REASONS_OF_THE_DOCUMENT: JSON.stringify(reasons()) },
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    outdir: 'assets',
  });
  const server = await esbuild.build({
    ...common,
    entryPoints: [PROCESS],
    platform: 'node',
    target: 'node24',
    splitting: true,
    entryNames: 'console',
    chunkNames: 'console-[hash]',
    outExtension: { '.js': '.mjs' },
    outdir: '.',
    // What builds it is no part of it.
    external: ['./src/console/build.ts'],
    // Packages of the older kind ask for Node's modules by `require`.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
  });
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, 'assets'), { recursive: true });
  for (const { path, text } of server.outputFiles) {
    writeFileSync(join(directory, basename(path)), text);
  }
  const sizes = writeAssets(join(directory, 'assets'), pages.outputFiles);
  const graph = new Graph(pages.metafile);
  for (const name of HTML) {
    const html = readFileSync(join(CONSOLE_ROOT, PAGES, `${name}.html`), 'utf8');
    writeFileSync(join(directory, `${name}.html`), graph.withHashes(html));
  }
  const { routeTable } = await import('../api/index.ts');
  const manifest: Manifest = {
    v: 1,
    loginAssets: [...graph.firstOf('login')].sort(),
    routes: (await routeTable()).map(apiRoute),
  };
  writeFileSync(join(directory, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return budgets(graph, sizes);
}

function reasons() {
  return reasonsOf(readFileSync(join(CONSOLE_ROOT, REASONS), 'utf8'));
}

/** Gives the gzipped size by name. */
function writeAssets(directory: string, files: readonly OutputFile[]): ReadonlyMap<string, number> {
  return new Map(
    files.map(({ path, contents }) => {
      const name = basename(path);
      const gzipped = gzipSync(contents, { level: 9 });
      writeFileSync(join(directory, name), contents);
      writeFileSync(join(directory, `${name}.gz`), gzipped);
      writeFileSync(join(directory, `${name}.br`), brotliCompressSync(contents));
      return [name, gzipped.length];
    }),
  );
}

/** Who imports whom among the files made. */
class Graph {
  readonly #outputs: Metafile['outputs'];

  constructor({ outputs }: Metafile) {
    this.#outputs = outputs;
  }

  /** The name that a source became; undefined when there is none. */
  nameOf(source: string): string | undefined {
    const found = Object.entries(this.#outputs).find(([, { entryPoint }]) => entryPoint === source);
    return found === undefined ? undefined : basename(found[0]);
  }

  /** What a page needs before it shows anything. */
  firstOf(page: string): ReadonlySet<string> {
    const names = new Set<string>();
    for (const source of [`${PAGES}/${page}.ts`, `${PAGES}/${page}.css`]) {
      const name = this.nameOf(source);
      if (name !== undefined) this.#addWithImports(name, names);
    }
    return names;
  }

  #addWithImports(name: string, names: Set<string>): void {
    if (names.has(name)) return;
    names.add(name);
    for (const { path, kind } of this.#outputs[`assets/${name}`]?.imports ?? []) {
      if (kind === 'import-statement') this.#addWithImports(basename(path), names);
    }
  }

  /** What a chunk brings along that the first screen does not have. */
  laterThan(first: ReadonlySet<string>, name: string): readonly string[] {
    const names = new Set<string>();
    this.#addWithImports(name, names);
    return [...names].filter((it) => !first.has(it));
  }

  /** `src="index.ts"` -> `src="/assets/index-ABC.js"`. */
  withHashes(html: string): string {
    return html.replace(/(src|href)="([\w-]+\.(?:ts|css))"/g, (_, attribute, source) => {
      const name = this.nameOf(`${PAGES}/${source}`);
      if (name === undefined) throw new Error(`${source} is named in a page and was not built`);
      return `${attribute}="/assets/${name}"`;
    });
  }
}

function budgets(graph: Graph, sizes: ReadonlyMap<string, number>): readonly Budget[] {
  const total = (names: Iterable<string>): number =>
    Array.from(names).reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
  const first = graph.firstOf('index');
  const rehearse = graph.nameOf(`${PAGES}/rehearse.ts`);
  return [
    { name: 'first screen', bytes: total(first), limit: LIMITS.firstScreen },
    { name: 'login page', bytes: total(graph.firstOf('login')), limit: LIMITS.login },
    ...(rehearse === undefined
      ? []
      : [
          {
            name: 'Rehearse',
            bytes: total(graph.laterThan(first, rehearse)),
            limit: LIMITS.rehearse,
          },
        ]),
  ];
}

/** As the command prints it. */
export function budgetText({ name, bytes, limit }: Budget): string {
  const verdict = bytes <= limit ? 'within' : 'MORE THAN';
  return `${name.padEnd(14)}${String(bytes).padStart(7)} bytes gzipped, ${verdict} ${limit}`;
}

if (import.meta.main) {
  const [directory] = process.argv.slice(2);
  if (directory === undefined) {
    process.stderr.write('usage: node src/console/build.ts OUTDIR\n');
    process.exit(64);
  }
  const found = await buildConsole(directory);
  process.stdout.write(found.map((budget) => `${budgetText(budget)}\n`).join(''));
  process.exitCode = found.every(({ bytes, limit }) => bytes <= limit) ? 0 : 1;
}
