export { obstacle, openCell } from './cell.ts';
export type { DirectorKind, Setup } from './directors.ts';
export type { LabEvent } from './events.ts';
export { flagsOf, INCIDENT_NAMES, type IncidentName } from './incidents.ts';
export { labCommand } from './lab.ts';
export { now, sleep } from './observer.ts';
export { type Spread, spread } from './report.ts';
export { Stage } from './stage.ts';
