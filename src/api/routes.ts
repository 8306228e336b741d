/** The table of all routes: what the director can be asked. Requests, openapi.json, docs/api.md and the tests follow it. */
import { CONFIG_ROUTES } from './config-routes.ts';
import { DAEMON_ROUTES } from './daemon-routes.ts';
import { RECORD_ROUTES } from './record-routes.ts';
import type { Route } from './route.ts';
import { SERVICE_ROUTES } from './service-routes.ts';

export const ROUTES: readonly Route[] = [
  ...DAEMON_ROUTES,
  ...CONFIG_ROUTES,
  ...SERVICE_ROUTES,
  ...RECORD_ROUTES,
];
