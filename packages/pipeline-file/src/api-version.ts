/** The header of every pipeline file. The API group stands here and nowhere else. */
export const API_VERSION = 'equipoise.dev/v1alpha1';

/** Kind of document that a pipeline file holds. */
export const PIPELINE_KIND = 'InferencePipeline';
