/** The director's API: opened in the run directory by whoever starts a director. Its face is light: the rest loads late. */
export { api } from './server.ts';
export type { ApiRequest, ApiResponse, Caller, Handle, Right } from './types.ts';
