/** From a check to the prober that makes its probes: the one place that knows every kind. */
import { randomInt } from 'node:crypto';
import { type IpAddress, unreachable } from '../base/index.ts';
import { type Check, down, endpointText } from '../model/index.ts';
import { udpProber } from './datagram.ts';
import { exchangeScript } from './dialogue.ts';
import { dnsScript } from './dns.ts';
import { httpScript } from './http.ts';
import { type ProbeContext, type Prober, refusingProber } from './probe.ts';
import { programProber } from './program.ts';
import { smtpScript } from './smtp.ts';
import { connectProber, tcpProber, tlsProber } from './stream.ts';

export function proberOf(check: Check, context: ProbeContext): Prober {
  const { procedure } = check;
  switch (procedure.kind) {
    case 'tcp': {
      const { send, expect } = procedure;
      if (send === undefined && expect === undefined) return connectProber(check);
      return tcpProber(check, exchangeScript(send, expect));
    }
    case 'udp':
      // A datagram without an answer proves nothing: something must come back.
      return udpProber(check, exchangeScript(procedure.send, procedure.expect ?? ANYTHING));
    case 'http': {
      const port = procedure.tls === undefined ? 80 : 443;
      const { address } = check;
      const host = address.includes(':') ? `[${address}]` : address;
      const site = check.port === port ? host : endpointText(address, check.port);
      const script = httpScript(procedure, site);
      return procedure.tls === undefined
        ? tcpProber(check, script)
        : tlsProber(check, procedure.tls, context, script);
    }
    case 'tls':
      return tlsProber(check, procedure.tls, context);
    case 'dns':
      return udpProber(
        check,
        dnsScript(procedure.name, procedure.type, () => randomInt(65536)),
      );
    case 'smtp':
      return tcpProber(check, smtpScript(procedure.helo));
    case 'ping':
      return pingProber(check, context);
    case 'knock':
      return knockProber(check, procedure.vip, context);
    case 'program':
      return programProber(check, procedure, context);
    default:
      return unreachable(procedure);
  }
}

const ANYTHING = { kind: 'anything' } as const;

function knockProber(check: Check, vip: IpAddress, { knocker }: ProbeContext): Prober {
  if (knocker === undefined) return refusingProber(down('own-limits', 'no right to write frames'));
  return (done) => {
    const stop = knocker.knock(check, vip, done);
    return {
      abort: () => {
        stop();
        return `an answer for ${vip}`;
      },
    };
  };
}

function pingProber(check: Check, { pinger }: ProbeContext): Prober {
  if (pinger === undefined) return refusingProber(down('own-limits', 'no right to send pings'));
  return (done) => {
    const stop = pinger.ping(check.address, done);
    return {
      abort: () => {
        stop();
        return 'an echo';
      },
    };
  };
}
