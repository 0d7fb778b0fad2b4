/** The frame of an nginx configuration that runs as one process in the foreground and keeps its files in `directory`. */

/** nginx ends connections after 1,000 requests by default; a benchmark of keep-alive traffic wants none of that. */
export const ENDLESS = 100_000_000;

export const nginxConfig = (directory: string, http: string): string => `
daemon off;
master_process off;
pid ${directory}/nginx.pid;
error_log stderr;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests ${ENDLESS};
  client_body_temp_path ${directory}/client-body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  ${http}
}
`;
