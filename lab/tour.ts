/** The guided tour. */
import type { Timing } from './directors.ts';
export type TourOptions = { readonly timing: Timing; readonly hasStory: boolean };
export async function tour(_options: TourOptions): Promise<void> {}
