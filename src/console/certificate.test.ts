import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fingerprintOf, leftMs, ownCertificate, ownFiles, readCertificate } from './certificate.ts';

const directory = mkdtempSync(join(tmpdir(), 'pircert-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('the first start makes a certificate that browsers take, for this host; the second keeps it', async () => {
  const first = await ownCertificate(directory);
  const certificate = new X509Certificate(first.cert);
  assert.equal(certificate.checkHost(hostname()), hostname());
  assert.equal(certificate.checkIP('127.0.0.1'), '127.0.0.1');
  assert.equal(certificate.checkIP('::1'), '::1');
  assert.equal(certificate.ca, false);
  assert.equal(certificate.verify(certificate.publicKey), true);
  const days = leftMs(first) / (24 * 3600 * 1000);
  assert.ok(days > 700 && days < 825, `${days} days`);
  assert.match(fingerprintOf(first), /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  assert.equal(statSync(ownFiles(directory).key).mode & 0o777, 0o600);
  assert.deepEqual(await ownCertificate(directory), first);
});

test('a file that is no certificate is refused, and not written over', async () => {
  const files = ownFiles(directory);
  writeFileSync(files.certificate, 'mine');
  await assert.rejects(ownCertificate(directory));
  assert.throws(() => readCertificate(files));
  assert.equal(statSync(files.certificate).size, 4);
});
