/** Short looks at, and one last word to, the kernel's addresses from outside the worker. */
import { err, ok, type Result } from '../base/index.ts';
import { planAddresses } from '../core/index.ts';
import type { KernelAddresses, Vip } from '../model/index.ts';
import { openAddressPort } from '../ports/index.ts';
import { portErrorText } from './sentences.ts';

/** Links and addresses of this network namespace as they are now; the error is a sentence. */
export function observeKernel(): Result<KernelAddresses, string> {
  const port = openAddressPort();
  if (!port.ok) return err(portErrorText(port.error));
  const observed = port.value.observe();
  port.value.close();
  return observed.ok ? ok(observed.value) : err(portErrorText(observed.error));
}

/** Removes `vips`, when the worker that should have done it is gone; the sentences of what could not be done. */
export function releaseVips(vips: readonly Vip[]): readonly string[] {
  const port = openAddressPort();
  if (!port.ok) return [portErrorText(port.error)];
  const observed = port.value.observe();
  const errors = observed.ok
    ? port.value.apply(planAddresses({ vips, role: 'standby' }, observed.value).operations)
    : [observed.error];
  port.value.close();
  return errors.flatMap((error) => (error === undefined ? [] : [portErrorText(error)]));
}

/** The VIPs that the kernel holds, with the interface that each is on. */
export function heldVips(
  vips: readonly Vip[],
  { rows, links }: KernelAddresses,
): readonly { readonly address: string; readonly device: string }[] {
  return rows.flatMap(({ address, interfaceIndex }) => {
    if (!vips.some((vip) => vip.address === address)) return [];
    const device = links.find(({ index }) => index === interfaceIndex)?.name;
    return [{ address, device: device ?? `interface ${interfaceIndex}` }];
  });
}
