//! Who says whether certificates are revoked: `ssl_stapling` about ours, `ssl_ocsp` about clients'.

use std::net::SocketAddr;

use openssl::ocsp::OcspResponse;

use super::load::{Complaint, Place};
use super::{Ocsp, Server};
use crate::plan::ocsp::{Inquiry, Responder, Stapling, Url};
use crate::plan::tls::{ServerTls, Verify};
use crate::tls::{material, ocsp, words};

/// Of a server with `ssl_stapling on`. A certificate that nobody can be asked about costs a
/// warning.
pub(super) fn staple(
    typed: &Server,
    place: &Place<'_>,
    plan: &mut ServerTls,
    warnings: &mut Vec<String>,
) -> Result<(), Complaint> {
    if let Some(name) = &typed.staple {
        let file = place.file(name, |path, said| {
            // OpenSSL says how it would have opened it.
            let said = said.replacen(", r)", ", rb)", 1);
            format!("BIO_new_file(\"{}\") failed ({said})", path.display())
        })?;
        OcspResponse::from_der(file.bytes.expose()).map_err(|error| {
            format!("d2i_OCSP_RESPONSE_bio(\"{}\") failed ({})", file.name, words::all(&error))
        })?;
        plan.staple = Some(file);
        return Ok(());
    }
    let mut trusted = Vec::new();
    for file in &plan.tls.trusted {
        trusted.extend(material::authorities(file.bytes.expose())?.0);
    }
    let mut stapling =
        Stapling { verify: typed.stapling_verify.unwrap_or(false), ..Stapling::default() };
    for (at, pair) in plan.tls.certificates.iter().enumerate() {
        let name = &pair.certificate.name;
        let mut ignore = |why: &str| warnings.push(format!("\"ssl_stapling\" ignored, {why}"));
        let chain = material::chain(name, pair.certificate.bytes.expose())?;
        let candidates = chain.rest.iter().chain(&trusted).map(|it| &**it);
        if ocsp::issuer(&chain.certificate, candidates).is_none() {
            ignore(&format!("issuer certificate not found for certificate \"{name}\""));
            continue;
        }
        let named = || ocsp::responder(&chain.certificate);
        let Some(url) = typed.stapling_responder.clone().or_else(named) else {
            ignore(&format!("no OCSP responder URL in the certificate \"{name}\""));
            continue;
        };
        match found(&url, place) {
            Ok(responder) => stapling.responders.push((at, responder)),
            Err(why) => ignore(&format!("{why} in the certificate \"{name}\"")),
        }
    }
    plan.stapling = Some(stapling).filter(|stapling| !stapling.responders.is_empty());
    Ok(())
}

/// Of any server, though only one that verifies its clients has a use for it.
pub(super) fn inquiry(
    typed: &Server,
    place: &Place<'_>,
    verify: Verify,
) -> Result<Option<Inquiry>, Complaint> {
    let leaf = match typed.ocsp {
        None | Some(Ocsp::Off) => return Ok(None),
        Some(Ocsp::On) => false,
        Some(Ocsp::Leaf) => true,
    };
    if verify == Verify::OptionalNoCa {
        let complaint = "\"ssl_ocsp\" is incompatible with \"ssl_verify_client optional_no_ca\"";
        return Err(complaint.to_owned().into());
    }
    let responder = match &typed.ocsp_responder {
        Some(url) => {
            let found = found(url, place);
            Some(found.map_err(|why| format!("{why} in \"ssl_ocsp_responder\""))?)
        }
        None => None,
    };
    Ok(Some(Inquiry { leaf, responder, cache: typed.ocsp_cache.clone().flatten() }))
}

fn found(text: &str, place: &Place<'_>) -> Result<Responder, String> {
    let url = Url::parse(text)
        .ok_or_else(|| format!("invalid URL prefix in OCSP responder \"{text}\""))?;
    let addresses: Vec<SocketAddr> = match url.address() {
        Some(address) => vec![address],
        None => {
            let found = place.host.resolve(url.host).into_iter();
            found.map(|ip| SocketAddr::new(ip, url.port)).collect()
        }
    };
    match addresses.is_empty() {
        true => Err(format!("host not found in OCSP responder \"{}\"", &text["http://".len()..])),
        false => Ok(url.at(addresses)),
    }
}
