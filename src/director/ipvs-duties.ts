/**
 * What IPVS is asked for beside the table: its timeouts and the daemon that synchronises connections with the partner.
 *
 * The daemon follows the role as the original has it: backup on a standby, master on the active director, the other one
 * stopped first. Without `syncdaemon = 1` nobody's daemons are touched; one that a reload no longer asks for is stopped,
 * because we started it. Like the table this is a wish that is looked at again: a daemon that died comes back.
 * Source: ipvsadm(8) --set, --start-daemon; lvs.cf(5) syncdaemon, syncd_iface, syncd_id, tcp_timeout.
 */
import type { Milliseconds } from '../base/index.ts';
import type { PortError, Role, Settings } from '../model/index.ts';
import type { IpvsPort } from '../ports/index.ts';
import type { IpvsDaemon, IpvsTimeouts } from '../wire/index.ts';
import { portErrorText } from './sentences.ts';

const LOOK_MS: Milliseconds = 5000;

type Kernel = Pick<IpvsPort, 'setDaemons' | 'setTimeouts'>;

export class IpvsDuties {
  readonly #kernel: Kernel;
  readonly #log: (line: string) => void;
  readonly #timer: NodeJS.Timeout;
  #settings: Settings | undefined;
  #role: Role = 'standby';
  #told: string | undefined;

  constructor(kernel: Kernel, log: (line: string) => void) {
    this.#kernel = kernel;
    this.#log = log;
    this.#timer = setInterval(() => this.#lookAfterDaemons(), LOOK_MS);
  }

  use(settings: Settings): void {
    const before = this.#settings;
    this.#settings = settings;
    const wanted = timeouts(settings);
    if (JSON.stringify(wanted) !== JSON.stringify(timeouts(before))) this.#setTimeouts(wanted);
    const hasEnded = before?.syncDaemon.isEnabled === true && !settings.syncDaemon.isEnabled;
    if (hasEnded) this.#tell('syncdaemon', this.#kernel.setDaemons([]));
    this.#lookAfterDaemons();
  }

  setRole(role: Role): void {
    if (role === this.#role) return;
    this.#role = role;
    this.#lookAfterDaemons();
  }

  /** What runs goes on running, as of old. */
  close(): void {
    clearInterval(this.#timer);
  }

  #setTimeouts(wanted: IpvsTimeouts): void {
    const error = this.#kernel.setTimeouts(wanted);
    if (error !== undefined) this.#log(this.#sentence('tcp_timeout', error));
  }

  #lookAfterDaemons(): void {
    if (this.#settings?.syncDaemon.isEnabled !== true) return;
    this.#tell('syncdaemon', this.#kernel.setDaemons(wantedDaemons(this.#settings, this.#role)));
  }

  /** Once, until it changes. */
  #tell(directive: string, error: PortError | undefined): void {
    if (error?.code !== this.#told && error !== undefined) {
      this.#log(this.#sentence(directive, error));
    }
    this.#told = error?.code;
  }

  #sentence(directive: string, error: PortError): string {
    const origin = this.#settings?.origins?.[directive];
    const place = origin === undefined ? '' : `${origin.file}:${origin.line}: `;
    return `${place}kernel refused ${directive}: ${portErrorText(error)}`;
  }
}

export function wantedDaemons({ syncDaemon }: Settings, role: Role): readonly IpvsDaemon[] {
  const { interface: device, id } = syncDaemon;
  const state = role === 'active' ? 'master' : 'backup';
  // The original hands the number on to a byte.
  return [{ state, interface: device, syncId: id & 0xff }];
}

/** All zero: the kernel's are left alone. */
function timeouts(settings: Settings | undefined): IpvsTimeouts {
  return {
    tcpSeconds: settings?.tcpTimeoutSeconds ?? 0,
    tcpFinSeconds: settings?.tcpFinTimeoutSeconds ?? 0,
    udpSeconds: settings?.udpTimeoutSeconds ?? 0,
  };
}
