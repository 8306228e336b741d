/** Limits of heaps, in MB, where a collection may not take long. */

/** Of the pulse worker. Small young generation: a collection of its own garbage takes well under a millisecond. */
export const PULSE_HEAP = {
  maxYoungGenerationSizeMb: 2,
  maxOldGenerationSizeMb: 64,
  stackSizeMb: 2,
} as const;
