local k = import 'k.libsonnet';
local params = import 'params.libsonnet';

{
  deployment: k.deployment('web', params.image) {
    spec+: { template+: { spec+: { containers: [
      super.containers[0] { resources: { limits: { memory: params.memory } } },
    ] } } },
  },
}
