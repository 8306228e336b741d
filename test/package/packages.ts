/**
 * The Debian packages as the tests want them: built of the tree as it is now, in a scratch directory that goes with `close`,
 * and made again under a later version, as a later build would lay it out.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');
export const VERSION: string = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version;
/** The day of a build; without it that of the last commit. */
const EPOCH = '1790000000';
export type PackageName = 'piranha' | 'piranha-node';

export class Packages {
  readonly scratch = mkdtempSync(join(tmpdir(), 'pirdeb-'));
  readonly directory = join(this.scratch, 'first');

  constructor() {
    this.build(this.copyOfTree('tree'), this.directory);
  }

  close(): void {
    rmSync(this.scratch, { recursive: true, force: true });
  }

  /** The tree as it is now, at another place: what is edited meanwhile does not matter, nor does the place. */
  copyOfTree(name: string, from = ROOT): string {
    const to = join(this.scratch, name);
    const apart = ['.git', '.cache', 'build/package', 'build/qemu', 'build/promtool', 'build/deb'];
    const excluded = [...apart, 'node_modules'].map((path) => `--exclude=./${path}`).join(' ');
    shell(`mkdir '${to}'; cd '${from}'; tar ${excluded} -cf - . | tar -xf - -C '${to}'
      cp -al node_modules '${to}/' 2>/dev/null || cp -a node_modules '${to}/'`);
    return to;
  }

  /** Quickly: how hard the archive is squeezed changes nothing of what is tested. */
  build(tree: string, directory: string): void {
    const { status, stdout, stderr } = spawnSync('packaging/build-deb', [directory], {
      cwd: tree,
      encoding: 'utf8',
      env: { ...process.env, PIRANHA_XZ: '0', SOURCE_DATE_EPOCH: EPOCH },
    });
    assert.equal(status, 0, stdout + stderr);
  }

  archive(name: PackageName): string {
    const found = readdirSync(this.directory).find((file) => file.startsWith(`${name}_`));
    assert.ok(found !== undefined, `${name} was built`);
    return join(this.directory, found);
  }

  /** Puts both into a root; gives their paths there. */
  putInto(root: string): string {
    const names = ['piranha-node', 'piranha'] as const;
    for (const name of names) cpSync(this.archive(name), join(root, `${name}.deb`));
    return names.map((name) => `/${name}.deb`).join(' ');
  }

  /** Puts the program under a later version into each of `roots`; gives its path there. */
  putLater(version: string, ...roots: readonly string[]): string {
    const tree = join(this.scratch, version);
    const name = `/piranha_${version}.deb`;
    shell(`dpkg-deb -R '${this.archive('piranha')}' '${tree}'
      mv '${tree}/usr/lib/piranha/${VERSION}' '${tree}/usr/lib/piranha/${version}'
      sed -i 's/"version": "${VERSION}"/"version": "${version}"/' '${tree}/usr/lib/piranha/${version}/package.json'
      ln -sfn ${version} '${tree}/usr/lib/piranha/current'
      sed -i 's/^Version: .*/Version: ${version}/' '${tree}/DEBIAN/control'
      sed -i 's,/${VERSION}/,/${version}/,' '${tree}/DEBIAN/md5sums'
      dpkg-deb --root-owner-group -Zxz -z0 -b '${tree}' '${tree}.deb'`);
    rmSync(tree, { recursive: true });
    for (const root of roots) cpSync(`${tree}.deb`, join(root, name));
    return name;
  }
}

function shell(text: string): void {
  const { status, stderr } = spawnSync('sh', ['-ec', text], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}
