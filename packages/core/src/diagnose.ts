/** Entry `@equipoise/core/diagnose`: causes of missed requests, from the history of a pipeline. */
export type { DatedDecision, DiagnosisInput } from './diagnose/case-file.js';
export { diagnose } from './diagnose/diagnose.js';
export type { IncidentCard } from './diagnose/incident-card.js';
