{
  image: 'ghcr.io/acme/web:1.4',
  // 196Mi was too much for small nodes.
  memory: '96Mi',
}
