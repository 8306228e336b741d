export { obstacle } from './cell.ts';
export { INCIDENT_NAMES } from './incidents.ts';
export { labCommand } from './lab.ts';
