import assert from 'node:assert/strict';
import test from 'node:test';
import { errnoName, portError } from './errno.ts';

test('an errno has the kernel name, whichever its sign', () => {
  const names = { EPERM: 1, ENOENT: 2, EAGAIN: 11, EOPNOTSUPP: 95, EADDRINUSE: 98, ENOTUNIQ: 76 };
  for (const [name, number] of Object.entries(names)) {
    assert.equal(errnoName(number), name);
    assert.equal(errnoName(-number), name);
  }
  assert.equal(errnoName(-4095), 'errno 4095');
});

test('a port error says operation, target and code, and the words of the kernel when there are some', () => {
  assert.deepEqual(portError('bind', 'lo', -98), {
    operation: 'bind',
    target: 'lo',
    code: 'EADDRINUSE',
  });
  assert.deepEqual(portError('add', 'lo', 'timeout', 'text'), {
    operation: 'add',
    target: 'lo',
    code: 'timeout',
    kernelText: 'text',
  });
});
