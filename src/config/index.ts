/** lvs.cf text <-> Document (comments kept) -> Settings + problems. The format: docs/lvs.cf.md. */
export {
  type Document,
  formatDocument,
  parseDocument,
  parseStatement,
  type Statement,
} from './document.ts';
export {
  addSection,
  addServer,
  bumpSerial,
  type EditFault,
  formatValue,
  type NewSection,
  removeDirective,
  removeSection,
  type SectionPath,
  setDirective,
} from './edit.ts';
export { type FuzzCounts, fuzzConfig } from './fuzz.ts';
export { fuzzKeepalived } from './fuzz-keepalived.ts';
export { type Exported, type ExportNote, exportKeepalived } from './keepalived-export.ts';
export {
  type Imported,
  type ImportOptions,
  importKeepalived,
} from './keepalived-import.ts';
export type { IncludedFile } from './keepalived-lines.ts';
export type { Note, NoteKind } from './keepalived-notes.ts';
export { importLvs } from './lvs-import.ts';
export { normaliseDocument } from './normalise.ts';
export { outline, type Section } from './outline.ts';
export { checkDocument, type ParseOptions, parseSettings, type Verdict } from './parse.ts';
export { PROBLEM_CODES, type Problem, type ProblemCode, type Severity } from './problem.ts';
export { STRICT_REASONS, type StrictReason, type StrictRefusal, strictVerdict } from './strict.ts';
export { nearest } from './suggest.ts';
export { type DiffNames, unifiedDiff } from './unified-diff.ts';
export type { Lookups } from './values.ts';
