/**
 * Probes over UDP: one datagram, and the first answer that the dialogue accepts. The socket is connected, so the kernel
 * drops what others send and tells us of a closed port (ICMP port unreachable, ECONNREFUSED).
 * A datagram lost on the way is a failed probe; `fall` is the cure. Source: udp(7), node:dgram.
 */
import { createSocket } from 'node:dgram';
import { ipFamily } from '../base/index.ts';
import type { Check, Verdict } from '../model/index.ts';
import type { Script } from './dialogue.ts';
import { type Prober, refusingProber, socketFailure } from './probe.ts';

const EMPTY = new Uint8Array(0);

export function udpProber(check: Check, script: Script): Prober {
  if (typeof script !== 'function') return refusingProber(script);
  const type = ipFamily(check.address) === 4 ? 'udp4' : 'udp6';
  return (done) => {
    const socket = createSocket(type);
    const dialogue = script();
    let isOver = false;
    const close = () => {
      isOver = true;
      socket.close();
    };
    const conclude = (verdict: Verdict) => {
      if (isOver) return;
      close();
      done(verdict);
    };
    socket.on('error', (error) => conclude(socketFailure(error, check)));
    socket.on('message', (bytes) => {
      const reply = isOver ? undefined : dialogue.receive(bytes);
      if (reply !== undefined && 'isUp' in reply) conclude(reply);
    });
    // No callback to `connect`: only without one is a refusal an `error` event.
    socket.on('connect', () => {
      if (isOver) return;
      socket.send(dialogue.opening ?? EMPTY, (error) => {
        if (error !== null) conclude(socketFailure(error, check));
      });
    });
    socket.connect(check.port, check.address);
    return {
      abort: () => {
        if (!isOver) close();
        return dialogue.awaits === 'nothing' ? 'an answer' : dialogue.awaits;
      },
    };
  };
}
