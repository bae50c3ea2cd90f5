export const API_VERSION = 'equipoise.dev/v1alpha1';

export const PIPELINE_KIND = 'InferencePipeline';
