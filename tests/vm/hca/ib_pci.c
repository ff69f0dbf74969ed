// SPDX-License-Identifier: GPL-2.0
/* link_layer=ib: the PCI driver of the igb functions. */
#include <linux/module.h>

#include "hca.h"

static int hca_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct hca_dev *hca = hca_create(pdev, NULL);

	if (IS_ERR(hca))
		return PTR_ERR(hca);
	pci_set_drvdata(pdev, hca);
	return 0;
}

static void hca_remove(struct pci_dev *pdev)
{
	/* VFs read their settings from their PF's device: they go first. */
	if (!pdev->is_virtfn)
		pci_disable_sriov(pdev);
	hca_destroy(pci_get_drvdata(pdev));
}

static int hca_sriov_configure(struct pci_dev *pdev, int num_vfs)
{
	struct hca_dev *pf = pci_get_drvdata(pdev);

	if (!num_vfs) {
		pci_disable_sriov(pdev);
		mutex_lock(&hca_mutex);
		hca_vfs_reset(pf);
		mutex_unlock(&hca_mutex);
		return 0;
	}
	return pci_sriov_configure_simple(pdev, num_vfs);
}

static const struct pci_device_id hca_ids[] = {
	{PCI_DEVICE(PCI_VENDOR_ID_INTEL, 0x10c9)}, /* 82576: QEMU's igb */
	{PCI_DEVICE(PCI_VENDOR_ID_INTEL, 0x10ca)}, /* its VFs */
	{},
};
/* No MODULE_DEVICE_TABLE: nothing but insmod is to load this. */

static struct pci_driver hca_pci_driver = {
	.name = "railcni_hca",
	.id_table = hca_ids,
	.probe = hca_probe,
	.remove = hca_remove,
	.sriov_configure = hca_sriov_configure,
};

int hca_ib_init(void)
{
	return pci_register_driver(&hca_pci_driver);
}

void hca_ib_exit(void)
{
	pci_unregister_driver(&hca_pci_driver);
}
