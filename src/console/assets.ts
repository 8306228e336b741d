/**
 * The built pages, held in memory: some hundred kilobytes, read once. Compressed when they were built, so that no request
 * makes us compress. Names carry a hash of the content: a browser keeps them for ever and asks for new names after an
 * update.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';

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
  const manifest: unknown = JSON.parse(read('manifest.json').toString());
  const forLogin = loginAssetsOf(manifest);
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

function loginAssetsOf(manifest: unknown): ReadonlySet<string> {
  const fields = new Map(Object.entries(Object(manifest)));
  const names = fields.get('loginAssets');
  if (fields.get('v') !== 1 || !Array.isArray(names)) throw new Error('manifest.json is not ours');
  return new Set(names.map(String));
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
