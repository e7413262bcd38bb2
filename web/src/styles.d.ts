// Styles are imported for their effect; the build takes them out.
declare module "*.css";
