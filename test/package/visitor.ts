/** Asks a console one thing, as a browser's first visit would: visitor.ts HOST PATH COOKIE BODY; prints the answer as JSON. */
import { request } from 'node:https';

export type Answer = { readonly status: number; readonly text: string; readonly cookie: string };

const [host = '', path = '', cookie = '', body = ''] = process.argv.slice(2);
const origin = `https://${host}:3636`;
const asked = request(`${origin}${path}`, {
  method: body === '' ? 'GET' : 'POST',
  rejectUnauthorized: false, // its certificate is its own
  timeout: 20_000,
  headers: {
    ...(cookie !== '' && { cookie }),
    ...(body !== '' && { origin, 'content-type': 'application/json' }),
  },
});
asked.once('timeout', () => asked.destroy(new Error('no answer in 20 s')));
asked.once('response', async (response) => {
  response.setEncoding('utf8');
  let text = '';
  for await (const part of response) text += part;
  const [set = ''] = response.headers['set-cookie'] ?? [];
  const [pair = ''] = set.split(';');
  const answer: Answer = { status: response.statusCode ?? 0, text, cookie: pair };
  process.stdout.write(JSON.stringify(answer));
});
asked.end(body);
