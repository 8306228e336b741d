export * from './check.ts';
export * from './kernel.ts';
export * from './settings.ts';
export * from './table.ts';
export * from './words.ts';
