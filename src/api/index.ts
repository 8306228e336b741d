/** The director's API: opened in the run directory by whoever starts a director. Its face is light: the rest loads late. */
import type { Route } from './route.ts';

export { api } from './server.ts';
export type { ApiRequest, ApiResponse, Caller, Handle, Right } from './types.ts';

/** The table of all routes, for the console, which passes on what it lists. Loaded when it is asked for. */
export async function routeTable(): Promise<readonly Route[]> {
  return (await import('./routes.ts')).ROUTES;
}

/** For the fuzz run; nothing of it is loaded by a director. */
export const apiFuzz = () => import('./fuzz.ts');
