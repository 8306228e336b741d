/**
 * Reads server-sent events of a director until the stream ends, breaks, or says nothing for three of its comments
 * (it sends one every two seconds). Source: HTML Living Standard, "Server-sent events".
 */
import type { Milliseconds } from '../base/index.ts';
import type { RunDirectory } from '../director/index.ts';

const SILENCE_MS: Milliseconds = 7000;
/** A record is a line; one that is longer is none of ours. */
const LONGEST = 256 * 1024;

export type Follower = {
  /** The stream is open. */
  readonly onOpen?: () => void;
  /** With each event's data. */
  readonly onData: (data: string) => void;
  /** Ends it. */
  readonly signal?: AbortSignal;
};

/** Gives why it ended, as a sentence without its full stop. */
export function followStream(
  directory: Pick<RunDirectory, 'socket'>,
  path: string,
  { onOpen, onData, signal }: Follower,
): Promise<string> {
  return new Promise((resolve) => {
    const asked = process.getBuiltinModule('node:http').request({
      socketPath: directory.socket,
      path,
      headers: { accept: 'text/event-stream' },
      ...(signal !== undefined && { signal }),
    });
    let isFollowing = false;
    asked.setTimeout(SILENCE_MS, () => asked.destroy(new Error('silence')));
    asked.once('error', () =>
      resolve(isFollowing ? 'the stream broke off' : 'the director does not answer'),
    );
    asked.once('response', (response) => {
      if (response.statusCode !== 200) {
        asked.destroy();
        resolve(`the director answered ${response.statusCode}`);
        return;
      }
      isFollowing = true;
      onOpen?.();
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const data = /^data: ?(.*)$/m.exec(text.slice(0, end))?.[1];
          text = text.slice(end + 2);
          if (data !== undefined) onData(data);
        }
        if (text.length > LONGEST) asked.destroy(new Error('too long'));
      });
      response.once('close', () => resolve('the stream ended'));
    });
    asked.end();
  });
}
