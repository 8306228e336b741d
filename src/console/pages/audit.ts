/** The chunk of the audit page. */
export { AuditPage } from './audit-page.tsx';
