import { render } from "solid-js/web";
import "../ui/base.css";
import "./audit.css";
import { Audit } from "./Audit";

const root = document.getElementById("app");
if (root) render(() => <Audit />, root);
