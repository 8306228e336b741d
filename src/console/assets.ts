/**
 * The built pages, held in memory: some hundred kilobytes, read once. Compressed when they were built, so that no request
 * makes us compress. Names carry a hash of the content: a browser keeps them for ever and asks for new names after an
 * update.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import type { ApiRoute } from './pass-on.ts';
import { isRights } from './rights.ts';

export type Assets = {
  readonly indexHtml: string;
  readonly loginHtml: string;
  /** By name; `isPublic`: the login page needs it. */
  readonly files: ReadonlyMap<string, Asset>;
};

type Asset = {
  readonly type: string;
  readonly isPublic: boolean;
  readonly etag: string;
  readonly plain: Buffer;
  readonly gzip: Buffer;
  readonly brotli: Buffer;
};

const TYPES: ReadonlyMap<string, string> = new Map([
  ['.js', 'text/javascript; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
]);

/** Throws what the file system says. */
export function loadAssets(directory: string): Assets {
  const read = (...names: readonly string[]): Buffer => readFileSync(join(directory, ...names));
  const forLogin = new Set(listIn(directory, 'loginAssets').map(String));
  const files = new Map<string, Asset>();
  for (const name of readdirSync(join(directory, 'assets'))) {
    const type = TYPES.get(extname(name));
    if (type === undefined) continue;
    const plain = read('assets', name);
    files.set(name, {
      type,
      isPublic: forLogin.has(name),
      etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
      plain,
      gzip: read('assets', `${name}.gz`),
      brotli: read('assets', `${name}.br`),
    });
  }
  const indexHtml = read('index.html').toString();
  return { indexHtml, loginHtml: read('login.html').toString(), files };
}

/** What the director's table listed when this was built. Throws what the file system says. */
export function loadRoutes(directory: string): readonly ApiRoute[] {
  return listIn(directory, 'routes').map((row) => {
    const fields = new Map<string, unknown>(Object.entries(Object(row)));
    const [method, path, right] = ['method', 'path', 'right'].map((name) =>
      String(fields.get(name)),
    );
    const longestBody = Number(fields.get('longestBody'));
    if (method === undefined || path === undefined || right === undefined || !isRights(right)) {
      throw new Error(`manifest.json has no right for ${method} ${path}`);
    }
    return { method, path, right, longestBody };
  });
}

function listIn(directory: string, name: string): readonly unknown[] {
  const manifest: unknown = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8'));
  const fields = new Map(Object.entries(Object(manifest)));
  const list = fields.get(name);
  if (fields.get('v') !== 1 || !Array.isArray(list)) throw new Error('manifest.json is not ours');
  return list;
}

/** Gives an asset, in the shortest form that the browser takes. */
export function sendAsset(request: IncomingMessage, response: ServerResponse, asset: Asset): void {
  const headers = {
    'cache-control': 'public, max-age=31536000, immutable',
    etag: asset.etag,
    vary: 'accept-encoding',
  };
  if (request.headers['if-none-match'] === asset.etag) {
    response.writeHead(304, headers).end();
    return;
  }
  const accepted = String(request.headers['accept-encoding'] ?? '');
  const encoding = /\bbr\b/.test(accepted) ? 'br' : /\bgzip\b/.test(accepted) ? 'gzip' : undefined;
  const body = encoding === 'br' ? asset.brotli : encoding === 'gzip' ? asset.gzip : asset.plain;
  response.writeHead(200, {
    ...headers,
    'content-type': asset.type,
    'content-length': body.length,
    ...(encoding !== undefined && { 'content-encoding': encoding }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
