/**
 * Which data plane carries the virtual services, decided once at the start: `dataplane = auto|ipvs|nftables|none`.
 *
 * `auto` asks the kernel: IPVS where it has it, else nftables, else none, with one warning. What was asked for by name and
 * is not to be had is refused at the start, before an address is touched.
 */
import { err, ok, type Result } from '../base/index.ts';
import type { PortError, Settings } from '../model/index.ts';
import type { IpvsPort, NftPlane, TablePort } from '../ports/index.ts';
import { portErrorText } from './sentences.ts';

/** What of the nftables plane is used here. */
export type NftTable = TablePort & Pick<NftPlane, 'synchronise'>;

/** `why` is a clause: `this kernel has IPVS`. */
export type ChosenPlane =
  | { readonly kind: 'ipvs'; readonly why: string; readonly port: IpvsPort }
  | { readonly kind: 'nftables'; readonly why: string; readonly port: NftTable }
  | { readonly kind: 'none'; readonly why: string; readonly isLack: boolean };

export type PlaneOpeners = {
  readonly ipvs: () => Result<IpvsPort, PortError>;
  readonly nftables: () => Promise<Result<NftTable, PortError>>;
};

/** The error is a sentence without the place in the file. */
export async function choosePlane(
  { service, dataPlane: wanted }: Pick<Settings, 'service' | 'dataPlane'>,
  openers: PlaneOpeners,
): Promise<Result<ChosenPlane, string>> {
  // There is no table of virtual services to keep.
  if (service === 'fos') return ok({ kind: 'none', why: 'service = fos', isLack: false });
  const because = `dataplane = ${wanted}`;
  if (wanted === 'none') return ok({ kind: 'none', why: because, isLack: false });
  const ipvs = wanted === 'nftables' ? undefined : openers.ipvs();
  if (ipvs?.ok === true) {
    const why = wanted === 'auto' ? 'this kernel has IPVS' : because;
    return ok({ kind: 'ipvs', why, port: ipvs.value });
  }
  const noIpvs = ipvs === undefined ? '' : `this kernel has no IPVS (${ipvs.error.code})`;
  if (wanted === 'ipvs') return err(`${because}: ${noIpvs}`);
  const nftables = await openers.nftables();
  if (nftables.ok) {
    const why = wanted === 'auto' ? noIpvs : because;
    return ok({ kind: 'nftables', why, port: nftables.value });
  }
  const noNft = portErrorText(nftables.error);
  if (wanted === 'nftables') return err(`${because}: ${noNft}`);
  return ok({ kind: 'none', why: `${noIpvs}, and no nftables: ${noNft}`, isLack: true });
}
