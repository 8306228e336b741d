export * from './address.ts';
export * from './assert.ts';
export * from './bytes.ts';
export * from './document-tables.ts';
export * from './ere.ts';
export * from './heaps.ts';
export * from './result.ts';
export * from './time.ts';
