export * from './kernel.ts';
export * from './settings.ts';
export * from './words.ts';
