export { labCommand } from './lab.ts';
