/**
 * Probes over TCP and TLS: connect, let the dialogue speak, give its verdict, reset.
 *
 * The connection is ended by RST. A close in good order would leave us holding each connection for a minute in
 * TIME_WAIT, and at 500 checks a second that is every port there is. Only who has said something and awaits nothing
 * (send without expect, QUIT) closes politely, or the reset would overtake the words.
 * Rejected: a pool of connections (a check is about new clients); undici, http (see http.ts).
 * Source: node:net, node:tls; TCP RFC 9293 §3.6.
 */
import { connect, type Socket } from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import type { Check, TlsSettings, Verdict } from '../model/index.ts';
import { down, UP } from '../model/index.ts';
import type { Dialogue, Reply, Script } from './dialogue.ts';
import {
  type Done,
  errorCode,
  type ProbeContext,
  type Prober,
  type RunningProbe,
  refusingProber,
  socketFailure,
} from './probe.ts';

/** A connection is all that is asked. */
export function connectProber(check: Check): Prober {
  const target = { host: check.address, port: check.port };
  return (done) => {
    const socket = connect(target);
    // Nothing will be read: the socket need not even be watched for it.
    socket.pause();
    socket.on('connect', () => {
      socket.resetAndDestroy();
      done(UP);
    });
    socket.on('error', (error) => done(socketFailure(error, check)));
    return {
      abort: () => {
        socket.removeAllListeners();
        socket.on('error', ignore);
        socket.destroy();
        return 'a connection';
      },
    };
  };
}

export function tcpProber(check: Check, script: Script): Prober {
  if (typeof script !== 'function') return refusingProber(script);
  const target = { host: check.address, port: check.port };
  return (done) => {
    const socket = connect(target);
    const probe = new StreamProbe(socket, check, script(), done);
    socket.once('connect', () => probe.begin());
    return probe;
  };
}

/** TLS, then the dialogue; without one the session alone is the check. */
export function tlsProber(
  check: Check,
  tls: TlsSettings,
  { roots }: ProbeContext,
  script: Script = quiet,
): Prober {
  if (typeof script !== 'function') return refusingProber(script);
  const isPlain = check.procedure.kind === 'tls';
  const context = secureContext(tls.isVerified, roots);
  return (done) => {
    const socket = connectTls({
      host: check.address,
      port: check.port,
      secureContext: context,
      // The judgement is ours, below: a refusal by Node would not say which of the two it is.
      rejectUnauthorized: false,
      ...(tls.name === undefined ? {} : { servername: tls.name }),
      ...(isPlain ? {} : { ALPNProtocols: ['http/1.1'] }),
    });
    const probe = new StreamProbe(socket, check, script(), done);
    socket.once('secureConnect', () => {
      const refusal = judgeCertificate(socket, tls);
      if (refusal !== undefined) probe.conclude(refusal);
      else probe.begin();
    });
    return probe;
  };
}

const quiet = (): Dialogue => ({
  isOver: true,
  awaits: 'nothing',
  receive: () => UP,
  end: () => UP,
});

let contexts: { readonly plain: SecureContext; verifying?: SecureContext } | undefined;

/** Made once: reading all roots of the machine takes a while. Where it has none, those that Node brings must do. */
function secureContext(isVerified: boolean, roots: readonly string[] | undefined): SecureContext {
  if (roots !== undefined) return createSecureContext({ ca: [...roots] });
  contexts ??= { plain: createSecureContext() };
  if (!isVerified) return contexts.plain;
  contexts.verifying ??= verifyingContext(contexts.plain);
  return contexts.verifying;
}

function verifyingContext(plain: SecureContext): SecureContext {
  const own = getCACertificates('system');
  return own.length === 0 ? plain : createSecureContext({ ca: own });
}

const DAY_MS = 86_400_000;

function judgeCertificate(socket: TLSSocket, tls: TlsSettings): Verdict | undefined {
  const { isVerified, minDays } = tls;
  if (isVerified && !socket.authorized) {
    return down('certificate', errorCode(socket.authorizationError));
  }
  if (minDays <= 0) return undefined;
  const until = Date.parse(socket.getPeerCertificate().valid_to ?? '');
  if (Number.isNaN(until)) return down('certificate', 'it has no date of expiry');
  const days = Math.floor((until - Date.now()) / DAY_MS);
  return days >= minDays ? undefined : down('certificate', `it expires in ${days} days`);
}

class StreamProbe implements RunningProbe {
  readonly #socket: Socket;
  readonly #check: Check;
  readonly #dialogue: Dialogue;
  readonly #done: Done;
  #hasBegun = false;
  #isOver = false;

  constructor(socket: Socket, check: Check, dialogue: Dialogue, done: Done) {
    this.#socket = socket;
    this.#check = check;
    this.#dialogue = dialogue;
    this.#done = done;
    socket.on('error', (error) => this.#failed(error));
    socket.once('end', () => this.#ended());
    // A TLS session that breaks off may close without `end` or `error`.
    socket.once('close', () => this.#ended());
  }

  /** The transport stands: the dialogue may speak. */
  begin(): void {
    const { opening, isOver } = this.#dialogue;
    this.#hasBegun = true;
    if (isOver === true) {
      this.conclude(UP, opening);
      return;
    }
    if (opening !== undefined) this.#socket.write(opening);
    this.#socket.on('data', (bytes) => this.#receive(bytes));
  }

  /** Ends the probe; `lastWords` are sent before a close in good order. */
  conclude(verdict: Verdict, lastWords?: Uint8Array): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (lastWords !== undefined) {
      // `end` sends FIN after the words; what may come back is not ours any more.
      this.#socket.end(lastWords, () => this.#socket.destroy());
    } else this.#cut();
    this.#done(verdict);
  }

  abort(): string {
    this.#isOver = true;
    this.#cut();
    if (this.#hasBegun) return this.#dialogue.awaits;
    return this.#check.procedure.kind === 'tcp' ? 'a connection' : 'a connection with its session';
  }

  #receive(bytes: Uint8Array | string): void {
    if (this.#isOver || typeof bytes === 'string') return;
    const reply: Reply = this.#dialogue.receive(bytes);
    if (reply === undefined) return;
    if ('isUp' in reply) this.conclude(reply);
    else if (reply.verdict !== undefined) this.conclude(reply.verdict, reply.say);
    else this.#socket.write(reply.say);
  }

  #ended(): void {
    if (this.#isOver) return;
    if (this.#hasBegun) this.conclude(this.#dialogue.end());
    else this.conclude(down('tls-refused', 'closed before there was a session'));
  }

  #failed(error: Error): void {
    if (this.#isOver) return;
    const verdict = socketFailure(error, this.#check);
    const code = errorCode(error);
    const isTls = !this.#hasBegun && (/^ERR_(SSL|TLS)/.test(code) || code === 'EPROTO');
    const isCutShort =
      !this.#hasBegun && this.#check.procedure.kind !== 'tcp' && code === 'ECONNRESET';
    this.conclude(isTls || isCutShort ? down('tls-refused', code) : verdict);
  }

  #cut(): void {
    // TLS sockets have no reset of their own; closing with data unread resets, too.
    if ('encrypted' in this.#socket || this.#socket.connecting) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }
}

/** An error after the verdict changes nothing any more. */
function ignore(): void {}
